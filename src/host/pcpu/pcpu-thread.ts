// Domain 0's end of a pCPU: starts the worker thread, calls control methods on it, hands on its events.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';

import { type Domid, type Port, VmmError } from '../../base/index.ts';
import type { Control } from '../../hypervisor/index.ts';
import { createMachineMemory, type MachineMemory } from '../../machine/index.ts';
import { taken } from './outbox.ts';
import type { ControlMethod, FromPcpu, PcpuOptions, PcpuSettings, Request } from './protocol.ts';

/** What the thread may have for short-lived objects: the default is three times as much, and of no use to it. */
const YOUNG_GENERATION_MIB = 3;

/** What domain 0 does when a pCPU reports something. */
export interface PcpuEvents {
  /** A guest notified the channel whose guest end is `port`. */
  notify(domid: Domid, port: Port): void;
  /** A domain shut down, crashed or is gone. */
  changed(domid: Domid): void;
  /** A guest wrote to the hypervisor's console. */
  console(domid: Domid, bytes: Uint8Array): void;
  log(line: string): void;
  trace(line: string): void;
  /** Lines of a dump. @param request - index in `PcpuOptions.dumps` */
  dump(request: number, text: string): void;
  /** The thread itself failed; nothing on it runs any more. */
  failed(error: Error): void;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A running pCPU. */
export class PcpuThread {
  readonly memory: MachineMemory;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #doorbell: Int32Array;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  private constructor(memory: MachineMemory, worker: Worker, port: MessagePort, doorbell: Int32Array) {
    this.memory = memory;
    this.#worker = worker;
    this.#port = port;
    this.#doorbell = doorbell;
  }

  /**
   * Starts a pCPU with `nrFrames` frames of machine memory.
   * @throws VmmError NO_MEMORY - the host cannot reserve that much
   */
  static async start(nrFrames: number, options: PcpuOptions, events: PcpuEvents): Promise<PcpuThread> {
    const memory = reserve(nrFrames);
    const { port1, port2 } = new MessageChannel();
    const doorbell = new SharedArrayBuffer(4);
    const underway = new SharedArrayBuffer(4);
    const settings: PcpuSettings = { memory: memory.memory, doorbell, underway, ...options };
    const worker = new Worker(new URL('./pcpu-worker.ts', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
      workerData: { settings, port: port2 },
      transferList: [port2],
    });
    const thread = new PcpuThread(memory, worker, port1, new Int32Array(doorbell));
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      port1.once('message', () => resolve());
    });
    worker.removeAllListeners('error');
    worker.on('error', (error: unknown) =>
      thread.#fail(error instanceof Error ? error : new Error(String(error)), events),
    );
    const count = new Int32Array(underway);
    port1.on('message', (message: FromPcpu) => {
      thread.#receive(message, events);
      taken(count, message);
    });
    return thread;
  }

  /** Calls a control method. Rejects when the method throws (a bug of ours) or the thread is gone. */
  async call<Method extends ControlMethod>(
    method: Method,
    ...args: Parameters<Control[Method]>
  ): Promise<Awaited<ReturnType<Control[Method]>>> {
    const id = this.#nextId++;
    const reply = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#post({ id, method, args });
    return (await reply) as Awaited<ReturnType<Control[Method]>>; // the worker answers with the method's own result
  }

  /** Calls a control method whose result nobody waits for. */
  tell<Method extends ControlMethod>(method: Method, ...args: Parameters<Control[Method]>): void {
    this.#post({ id: 0, method, args });
  }

  /** Ends the thread at once. */
  async stop(): Promise<void> {
    this.#port.removeAllListeners('message');
    this.#port.close();
    await this.#worker.terminate();
  }

  #post(request: Request): void {
    this.#port.postMessage(request);
    Atomics.add(this.#doorbell, 0, 1);
    Atomics.notify(this.#doorbell, 0);
  }

  #receive(message: FromPcpu, events: PcpuEvents): void {
    switch (message.kind) {
      case 'ready':
        return;
      case 'reply':
        this.#settle(message.id)?.resolve(message.value);
        return;
      case 'failed':
        this.#settle(message.id)?.reject(new VmmError(message.code, message.message));
        return;
      case 'notify':
        events.notify(message.domid, message.port);
        return;
      case 'closed':
        return;
      case 'changed':
        events.changed(message.domid);
        return;
      case 'console':
        events.console(message.domid, message.bytes);
        return;
      case 'log':
        events.log(message.line);
        return;
      case 'trace':
        events.trace(message.line);
        return;
      case 'dump':
        events.dump(message.request, message.text);
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #fail(error: Error, events: PcpuEvents): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    events.failed(error);
  }
}

function reserve(nrFrames: number): MachineMemory {
  try {
    return createMachineMemory(nrFrames);
  } catch (error) {
    const mib = Math.ceil(nrFrames / 256);
    throw new VmmError(
      'NO_MEMORY',
      `the host cannot reserve ${mib} MiB for the machine: give the guest less memory (--memory)`,
      { cause: error },
    );
  }
}
