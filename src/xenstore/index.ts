export { backendPath, createDomainNodes, removeDomainNodes } from './domain-nodes.ts';
export type { DomainNodes } from './domain-nodes.ts';
export type { LocalTransaction, LocalWatch, WatchHandler } from './local.ts';
export { LocalStore } from './local.ts';
export type { StoreQuota } from './quota.ts';
export { DEFAULT_QUOTA } from './quota.ts';
export type { DomainLink, StorePorts } from './server.ts';
export { StoreServer } from './server.ts';
export type { StoreTracer } from './trace.ts';
