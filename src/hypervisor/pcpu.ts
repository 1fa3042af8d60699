// The state that all parts of one pCPU's hypervisor share: machine memory, engine, ports, domains. It
// holds no behaviour; functions of the parts take it as their first argument.

import type { Clock, Domid, Logger, Random } from '../base/index.ts';
import type { Engine } from '../engine/index.ts';
import type { FrameAllocator, FrameTable, MachineMemory } from '../machine/index.ts';
import type { CpuidPolicy } from './assist/cpuid.ts';
import type { Domain } from './domain.ts';
import { GuestAccess, GuestBuffer } from './guest-access.ts';
import type { MemoryManagement } from './memory-management.ts';
import { Profiler } from './profile/profiler.ts';
import { type ConsoleSink, type NotificationSink, SILENT_TRACER, type Tracer } from './ports.ts';
import type { Scheduler } from './schedule/scheduler.ts';
import { Bounce } from './trap/bounce.ts';
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
  /** Where guests' console_io goes. Left out, they may not write there, as with a release build of Xen. */
  readonly console?: ConsoleSink | undefined;
  readonly notifications: NotificationSink;
  readonly tracer?: Tracer;
  /** Measures where the time goes, for `Control.profile`. */
  readonly profiled?: boolean;
  readonly scheduler: Scheduler;
  /** What CPUID shows. */
  readonly cpuid: CpuidPolicy;
  /** Makes the memory management that works on this pCPU. */
  createMemoryManagement(pcpu: Pcpu): MemoryManagement;
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
  readonly console: ConsoleSink | undefined;
  readonly notifications: NotificationSink;
  readonly tracer: Tracer;
  /** There when the time is measured. */
  readonly profiler: Profiler | undefined;
  readonly access: GuestAccess;
  readonly domains: Map<Domid, Domain> = new Map();
  readonly scheduler: Scheduler;
  readonly cpuid: CpuidPolicy;
  readonly mm: MemoryManagement;
  readonly bounce: Bounce;
  /** The running vCPU is to stop when its exit has been handled. */
  reschedule = false;
  /** The running vCPU asked for others to run first. */
  yielding = false;
  /** One u64 and its halves: splits a 64-bit value without BigInt arithmetic. */
  readonly wide: BigUint64Array<ArrayBuffer> = new BigUint64Array(1);
  readonly halves: Uint32Array = new Uint32Array(this.wide.buffer);
  /** Copy of the request of the hypercall at hand. */
  readonly request: GuestBuffer = new GuestBuffer(8192);
  /** Earliest deadline of any timer, or one that has been cancelled since. */
  nextDeadlineNs = Infinity;
  /** vCPU whose guest code runs or whose exit is being handled. */
  current: Vcpu | undefined = undefined;

  constructor(ports: PcpuPorts) {
    this.memory = ports.memory;
    this.frames = ports.frames;
    this.allocator = ports.allocator;
    this.clock = ports.clock;
    this.profiler = ports.profiled === true ? new Profiler(ports.engine, ports.memory, ports.clock) : undefined;
    this.engine = this.profiler?.engine ?? ports.engine;
    this.random = ports.random;
    this.logger = ports.logger;
    this.console = ports.console;
    this.notifications = ports.notifications;
    this.tracer = ports.tracer ?? SILENT_TRACER;
    this.access = new GuestAccess(ports.memory, this.engine);
    this.scheduler = ports.scheduler;
    this.cpuid = ports.cpuid;
    this.bounce = new Bounce(ports.memory, this.engine, this.access);
    this.mm = ports.createMemoryManagement(this);
  }
}
