// Messages between domain 0 (main thread) and a pCPU (worker thread), and the doorbell that wakes the
// pCPU when it sleeps or runs guests. Plain data only: everything crosses a MessagePort.

import type { Domid, Port } from '../../base/index.ts';
import type { EngineTier } from '../../engine/index.ts';
import type { DumpRequest } from '../../engine-wasm/index.ts';
import type { Control } from '../../hypervisor/index.ts';
import type { MachineMemory } from '../../machine/index.ts';

/** Names of the control methods that domain 0 may call. */
export type ControlMethod = {
  [Name in keyof Control]: Control[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof Control];

/** What a worker thread is started with. */
export interface PcpuSettings extends PcpuOptions {
  /** Machine memory, made by domain 0. */
  readonly memory: MachineMemory['memory'];
  /** One i32: domain 0 adds 1 and notifies after each message. */
  readonly doorbell: SharedArrayBuffer;
  /** One i32: what the pCPU posted and domain 0 has not dealt with yet; see `outbox.ts`. */
  readonly underway: SharedArrayBuffer;
}

/** What a machine chooses of a pCPU. */
export interface PcpuOptions {
  /** Seed of the frame allocator's random order. */
  readonly seed: number;
  /** Kinds of trace lines that are wanted. */
  readonly trace: readonly string[];
  /** Measures where the time goes. */
  readonly profiled: boolean;
  /** Code to print when it is decoded or compiled. */
  readonly dumps: readonly DumpRequest[];
  /** How the engine runs guest code; undefined: its default. */
  readonly engineTier: EngineTier | undefined;
}

/** Domain 0 to the pCPU: a call of a control method. */
export interface Request {
  readonly id: number;
  readonly method: ControlMethod;
  readonly args: readonly unknown[];
}

/** The pCPU to domain 0. */
export type FromPcpu =
  | { readonly kind: 'ready' }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  /** The call threw: a `VmmError` with its code, or a bug of ours. */
  | { readonly kind: 'failed'; readonly id: number; readonly code: string; readonly message: string }
  | { readonly kind: 'notify'; readonly domid: Domid; readonly port: Port }
  | { readonly kind: 'closed'; readonly domid: Domid; readonly port: Port }
  | { readonly kind: 'changed'; readonly domid: Domid }
  | { readonly kind: 'console'; readonly domid: Domid; readonly bytes: Uint8Array }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'trace'; readonly line: string }
  /** Lines of a dump; `request` is an index in `PcpuOptions.dumps`. */
  | { readonly kind: 'dump'; readonly request: number; readonly text: string };
