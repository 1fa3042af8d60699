// The thread of one pCPU: builds the engine and the hypervisor on the machine memory that domain 0 made,
// then runs guests and answers domain 0 until the thread is ended. It never returns to Node's event loop:
// messages are taken out of the port between time slices, and an idle pCPU sleeps on the doorbell.

import { setFlagsFromString } from 'node:v8';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';

import { bug, type Clock, mfn, type Random, VmmError } from '../../base/index.ts';
import { createEngine } from '../../engine-wasm/index.ts';
import { type Control, Hypervisor, type Tracer } from '../../hypervisor/index.ts';
import { FrameAllocator, FrameTable, MachineMemory, MAX_FRAMES } from '../../machine/index.ts';
import { Outbox } from './outbox.ts';
import type { PcpuSettings, Request } from './protocol.ts';

/** How long guests run before messages are looked at. */
const SLICE_NS = 1_000_000;

/** How long an idle pCPU waits for room for what it has to tell domain 0. */
const FLUSH_MS = 1;

/**
 * Frame 0 is nobody's, so that address 0 is never a frame; frame 1 is the engine's.
 */
const ENGINE_FRAME = mfn(1);
const FIRST_FREE_FRAME = 2;

/** Makes V8 take the engine's word for which branches are hardly ever taken: guest code with memory accesses runs a fifth faster. */
const BRANCH_HINTS = '--experimental-wasm-branch-hinting';

const { settings, port } = workerData as { settings: PcpuSettings; port: MessagePort }; // what PcpuThread passes
setFlagsFromString(BRANCH_HINTS);
const doorbell = new Int32Array(settings.doorbell);
const outbox = new Outbox((message) => port.postMessage(message), new Int32Array(settings.underway));
const hypervisor = build();
outbox.send({ kind: 'ready' });
loop();

function build(): Hypervisor {
  const memory = new MachineMemory(settings.memory);
  const clock: Clock = {
    nowNs: () => Math.floor(performance.now() * 1e6),
    wallClockMs: () => Date.now(),
  };
  const random = xorshift(settings.seed);
  return new Hypervisor({
    memory,
    frames: new FrameTable(memory.nrFrames),
    allocator: new FrameAllocator(FIRST_FREE_FRAME, Math.min(memory.nrFrames, MAX_FRAMES), random),
    engine: createEngine(memory, { readTsc: () => clock.nowNs() }, ENGINE_FRAME, settings.engineTier, {
      counted: settings.profiled,
      ...(settings.dumps.length > 0 && { dumps: { requests: settings.dumps, write: dump } }),
    }),
    clock,
    random,
    logger: { info: log, warn: log },
    console: { write: (domid, bytes) => outbox.offer({ kind: 'console', domid, bytes: bytes.slice() }) },
    notifications: {
      notify: (domid, guestPort) => outbox.notify({ kind: 'notify', domid, port: guestPort }),
      closed: (domid, guestPort) => outbox.send({ kind: 'closed', domid, port: guestPort }),
      domainChanged: (domid) => outbox.send({ kind: 'changed', domid }),
    },
    tracer: tracer(),
    profiled: settings.profiled,
  });
}

function log(line: string): void {
  outbox.send({ kind: 'log', line });
}

function dump(request: number, text: string): void {
  outbox.insist({ kind: 'dump', request, text });
}

function loop(): never {
  for (;;) {
    const seen = Atomics.load(doorbell, 0);
    answerRequests();
    const outcome = hypervisor.run(performance.now() * 1e6 + SLICE_NS);
    outbox.flush();
    if (!outcome.idle) continue;
    const idleMs = outcome.wakeAtNs / 1e6 - performance.now();
    const waitMs = outbox.isWaiting ? Math.min(idleMs, FLUSH_MS) : idleMs;
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
    if (request.id !== 0) outbox.send({ kind: 'reply', id: request.id, value });
  } catch (error) {
    if (request.id === 0) throw error;
    const code = error instanceof VmmError ? error.code : 'BUG';
    outbox.send({
      kind: 'failed',
      id: request.id,
      code,
      message: error instanceof Error ? error.message : String(error),
    });
  }
}

function tracer(): Tracer {
  return {
    hypercall: settings.trace.includes('hypercall'),
    trap: settings.trace.includes('trap'),
    mmu: settings.trace.includes('mmu'),
    event: settings.trace.includes('event'),
    line: (kind, text) => outbox.insist({ kind: 'trace', line: `${kind} ${text}` }),
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
