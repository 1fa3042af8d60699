// What the hypervisor asks of the world around it, besides the engine and the ports of src/base: sinks
// for output, for events to domain 0, and for trace lines. The composition root passes them in.

import type { Domid, Port } from '../base/index.ts';

/** Kinds of trace lines. */
export type TraceKind = 'hypercall' | 'trap' | 'mmu' | 'event';

/** Sink for trace lines. A flag is tested before anything is formatted. */
export interface Tracer {
  readonly hypercall: boolean;
  readonly trap: boolean;
  readonly mmu: boolean;
  readonly event: boolean;
  line(kind: TraceKind, text: string): void;
}

/** A tracer with everything off. */
export const SILENT_TRACER: Tracer = { hypercall: false, trap: false, mmu: false, event: false, line() {} };

/** Where CONSOLEIO_write goes: the hypervisor's own console, not the guest's. */
export interface ConsoleSink {
  /** @param bytes - valid during the call only */
  write(domid: Domid, bytes: Uint8Array): void;
}

/** How domain 0 learns of events. Called on the pCPU's thread; must not call back. */
export interface NotificationSink {
  /** A guest notified the channel whose guest end is `port`. */
  notify(domid: Domid, port: Port): void;
  /** A guest closed its end of a channel to domain 0. */
  closed(domid: Domid, port: Port): void;
  /** A domain shut down, crashed or finished dying; `Control.domainInfo` tells which. */
  domainChanged(domid: Domid): void;
}
