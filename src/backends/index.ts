export type { ConsoleState } from './console/backend.ts';
export { ConsoleBackend } from './console/backend.ts';
export { ConsoleConnection } from './console/connect.ts';
export { ConsoleBuffer } from './console/console-buffer.ts';
export type {
  ConsoleConnectPorts,
  ConsoleHostPorts,
  ConsoleLink,
  ConsolePorts,
  ConsoleSink,
  ConsoleStore,
} from './console/ports.ts';
export type { Device } from './device.ts';
