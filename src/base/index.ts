export type { Brand, Domid, Maddr, Mfn, Pfn, Port, Vaddr } from './brand.ts';
export { domid, maddr, mfn, pfn, port, vaddr } from './brand.ts';
export { bug, HypervisorBug, VmmError } from './errors.ts';
export type { Clock, Logger, Random } from './ports.ts';
export type { SharedPage } from './shared-page.ts';
export { sharedPage } from './shared-page.ts';
