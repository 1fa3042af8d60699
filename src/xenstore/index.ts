export type { LocalTransaction, LocalWatch, WatchHandler } from './local.ts';
export { LocalStore } from './local.ts';
export type { StoreQuota } from './quota.ts';
export { DEFAULT_QUOTA } from './quota.ts';
export type { SharedPage } from './ring.ts';
export { sharedPage } from './ring.ts';
export type { DomainLink, StorePorts } from './server.ts';
export { StoreServer } from './server.ts';
export type { StoreTracer } from './trace.ts';
