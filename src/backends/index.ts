export { ConsoleBackend } from './console/backend.ts';
export type { ConsoleSink } from './console/ports.ts';
