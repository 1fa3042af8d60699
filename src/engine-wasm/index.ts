export type { DumpRequest } from './dump/dumper.ts';
export type { EngineOptions } from './engine.ts';
export { createEngine } from './engine.ts';
