export { createDomainNodes } from './domain-nodes.ts';
export { LocalStore } from './local.ts';
export type { StoreQuota } from './quota.ts';
export type { StorePorts } from './server.ts';
export { StoreServer } from './server.ts';
