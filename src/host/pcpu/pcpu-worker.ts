// The thread of one pCPU: builds the engine and the hypervisor on the machine memory that domain 0 made,
// then runs guests and answers domain 0 until the thread is ended. It never returns to Node's event loop:
// messages are taken out of the port between time slices, and an idle pCPU sleeps on the doorbell.

import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';

import { bug, type Clock, mfn, type Random, VmmError } from '../../base/index.ts';
import { createEngine } from '../../engine-wasm/index.ts';
import { type Control, Hypervisor, type Tracer } from '../../hypervisor/index.ts';
import { FrameAllocator, FrameTable, MachineMemory } from '../../machine/index.ts';
import type { FromPcpu, PcpuSettings, Request } from './protocol.ts';

/** How long guests run before messages are looked at. */
const SLICE_NS = 1_000_000;

/** Frame 0 is nobody's, so that address 0 is never a frame; frame 1 is the engine's. */
const ENGINE_FRAME = mfn(1);
const FIRST_FREE_FRAME = 2;

const { settings, port } = workerData as { settings: PcpuSettings; port: MessagePort }; // what PcpuThread passes
const doorbell = new Int32Array(settings.doorbell);
const hypervisor = build();
post({ kind: 'ready' });
loop();

function build(): Hypervisor {
  const memory = new MachineMemory(settings.memory);
  const clock: Clock = {
    nowNs: () => Math.floor(performance.now() * 1e6),
    wallClockMs: () => Date.now(),
  };
  const random = xorshift(settings.seed);
  const log = (line: string): void => post({ kind: 'log', line });
  return new Hypervisor({
    memory,
    frames: new FrameTable(memory.nrFrames),
    allocator: new FrameAllocator(FIRST_FREE_FRAME, memory.nrFrames, random),
    engine: createEngine(memory, { readTsc: () => clock.nowNs() }, ENGINE_FRAME),
    clock,
    random,
    logger: { info: log, warn: log },
    console: { write: (domid, bytes) => post({ kind: 'console', domid, bytes: bytes.slice() }) },
    notifications: {
      notify: (domid, guestPort) => post({ kind: 'notify', domid, port: guestPort }),
      closed: (domid, guestPort) => post({ kind: 'closed', domid, port: guestPort }),
      domainChanged: (domid) => post({ kind: 'changed', domid }),
    },
    tracer: tracer(),
  });
}

function loop(): never {
  for (;;) {
    const seen = Atomics.load(doorbell, 0);
    answerRequests();
    const outcome = hypervisor.run(performance.now() * 1e6 + SLICE_NS);
    if (!outcome.idle) continue;
    const waitMs = outcome.wakeAtNs / 1e6 - performance.now();
    if (waitMs > 0) Atomics.wait(doorbell, 0, seen, waitMs);
  }
}

function answerRequests(): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    answer(next.message as Request); // only PcpuThread writes to the other end
  }
}

function answer(request: Request): void {
  try {
    const method = hypervisor.control[request.method] as (this: Control, ...args: unknown[]) => unknown; // the caller's types agree
    const value = method.call(hypervisor.control, ...request.args);
    if (request.id !== 0) post({ kind: 'reply', id: request.id, value });
  } catch (error) {
    if (request.id === 0) throw error;
    const code = error instanceof VmmError ? error.code : 'BUG';
    post({ kind: 'failed', id: request.id, code, message: error instanceof Error ? error.message : String(error) });
  }
}

function post(message: FromPcpu): void {
  port.postMessage(message);
}

function tracer(): Tracer {
  const wants = (kind: string): boolean => settings.trace.includes(kind);
  return {
    hypercall: wants('hypercall'),
    trap: wants('trap'),
    mmu: wants('mmu'),
    event: wants('event'),
    line: (kind, text) => post({ kind: 'trace', line: `${kind} ${text}` }),
  };
}

/** Marsaglia's xorshift32: enough to scatter frames. */
function xorshift(seed: number): Random {
  let state = seed === 0 ? 1 : seed | 0;
  if (!Number.isInteger(seed)) bug('a seed is an integer');
  return {
    nextU32: () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 0;
    },
  };
}
