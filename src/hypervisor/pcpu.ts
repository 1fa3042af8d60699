// The state that all parts of one pCPU's hypervisor share: machine memory, engine, ports, domains. It
// holds no behaviour; functions of the parts take it as their first argument.

import type { Clock, Domid, Logger, Random } from '../base/index.ts';
import type { Engine } from '../engine/index.ts';
import type { FrameAllocator, FrameTable, MachineMemory } from '../machine/index.ts';
import type { Domain } from './domain.ts';
import { GuestAccess } from './guest-access.ts';
import { type ConsoleSink, type NotificationSink, SILENT_TRACER, type Tracer } from './ports.ts';
import type { Vcpu } from './vcpu.ts';

/** What a pCPU is made of; all of it is passed in. */
export interface PcpuPorts {
  readonly memory: MachineMemory;
  readonly frames: FrameTable;
  readonly allocator: FrameAllocator;
  readonly engine: Engine;
  /** The same source as the engine's time stamp counter. */
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly console: ConsoleSink;
  readonly notifications: NotificationSink;
  readonly tracer?: Tracer;
}

/** Shared state of one pCPU. */
export class Pcpu {
  readonly memory: MachineMemory;
  readonly frames: FrameTable;
  readonly allocator: FrameAllocator;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly console: ConsoleSink;
  readonly notifications: NotificationSink;
  readonly tracer: Tracer;
  readonly access: GuestAccess;
  readonly domains: Map<Domid, Domain> = new Map();
  /** vCPU whose guest code runs or whose exit is being handled. */
  current: Vcpu | undefined = undefined;

  constructor(ports: PcpuPorts) {
    this.memory = ports.memory;
    this.frames = ports.frames;
    this.allocator = ports.allocator;
    this.engine = ports.engine;
    this.clock = ports.clock;
    this.random = ports.random;
    this.logger = ports.logger;
    this.console = ports.console;
    this.notifications = ports.notifications;
    this.tracer = ports.tracer ?? SILENT_TRACER;
    this.access = new GuestAccess(ports.memory, ports.engine);
  }
}
