export { Control } from './control.ts';
export type { CreatedDomain } from './control.ts';
export type { CrashReport, VcpuReport } from './crash.ts';
export { Hypervisor } from './hypervisor.ts';
export type { ProfileReport } from './profile/profile.ts';
export type { ProfileRow } from './profile/tally.ts';
export type { TraceKind, Tracer } from './ports.ts';
