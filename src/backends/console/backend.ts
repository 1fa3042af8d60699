// A guest's console: carries its output to a sink and input to the guest, in order and without loss in either direction. Input
// from before the guest reads it waits here; output that the sink cannot take yet waits in the guest's ring, and so does
// the guest when that is full. The composition root calls `kick` when the guest raises the console's event channel.

import { bug } from '../../base/index.ts';
import type { Device } from '../device.ts';
import type { ConsolePorts } from './ports.ts';
import { ConsoleRing } from './ring.ts';

/** What a console keeps outside the guest's memory: input that the guest has not been given, one number a byte. */
export interface ConsoleState {
  readonly input: readonly number[];
}

/** Bytes of waiting input above which `input` asks its caller to wait. */
const INPUT_HIGH_WATER = 16 * 1024;

/** Ring fulls of output in one turn; then other work gets its turn. */
const CHUNKS_PER_TURN = 16;

/** The console of one guest. */
export class ConsoleBackend implements Device<ConsoleState> {
  readonly #ports: ConsolePorts;
  readonly #ring: ConsoleRing;
  #phase: 'new' | 'started' | 'destroyed' = 'new';
  #paused = false;
  #input: Uint8Array[] = [];
  #inputBytes = 0;
  /** Those who wait for room in the input. */
  #waiting: (() => void)[] = [];
  /** Settles when the sink can take more. */
  #sinking: Promise<void> | undefined;
  #complained = false;

  constructor(ports: ConsolePorts) {
    this.#ports = ports;
    this.#ring = new ConsoleRing(ports.page);
  }

  get paused(): boolean {
    return this.#paused;
  }

  start(): void {
    if (this.#phase === 'new') {
      this.#phase = 'started';
      this.#move();
    }
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#move();
  }

  reset(): void {
    if (this.#phase !== 'destroyed') {
      this.#phase = 'new';
    }
    this.#paused = false;
    this.#complained = false;
    this.#dropInput();
  }

  save(): ConsoleState {
    if (!this.#paused) {
      bug('console: saved while it runs');
    }
    return { input: this.#input.flatMap((bytes) => [...bytes]) };
  }

  restore({ input }: ConsoleState): void {
    this.#dropInput();
    void this.input(Uint8Array.from(input)); // there is no caller to wait: what is restored was accepted before
  }

  destroy(): void {
    this.#phase = 'destroyed';
    this.#dropInput();
  }

  /** The guest raised the console's event channel, or may have. */
  kick(): void {
    this.#move();
  }

  /**
   * Types `bytes` into the console; they are copied. Nothing is lost, also before `start` and while the guest does not read.
   * @returns a promise if much is waiting already: it settles when there is room for more, or there will be no reader
   */
  input(bytes: Uint8Array): void | Promise<void> {
    if (this.#phase === 'destroyed' || bytes.length === 0) {
      return undefined;
    }
    this.#input.push(bytes.slice());
    this.#inputBytes += bytes.length;
    this.#move();
    if (this.#inputBytes <= INPUT_HIGH_WATER) {
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Takes the rest of the output of a guest that does not run any more; settles when the sink has all of it. */
  async drain(): Promise<void> {
    for (this.#move(); this.#sinking !== undefined; this.#move()) {
      await this.#sinking;
    }
  }

  /** Moves what can be moved, then notifies the guest if anything was. */
  #move(): void {
    if (this.#phase !== 'started' || this.#paused) {
      return;
    }
    const moved = [this.#moveOutput(), this.#moveInput()];
    if (moved.includes(true)) {
      this.#ports.notify();
    }
  }

  #moveOutput(): boolean {
    let moved = false;
    for (let chunk = 0; this.#sinking === undefined; chunk++) {
      if (chunk === CHUNKS_PER_TURN) {
        this.#ports.defer(() => this.#move());
        break;
      }
      const bytes = this.#ring.takeOutput() ?? this.#complain('output');
      if (bytes === undefined || bytes.length === 0) {
        break;
      }
      moved = true;
      this.#sinkDown(bytes);
    }
    return moved;
  }

  #sinkDown(bytes: Uint8Array): void {
    const busy = this.#ports.sink(bytes);
    if (busy !== undefined) {
      this.#sinking = busy.then(() => {
        this.#sinking = undefined;
        this.#move();
      });
    }
  }

  #moveInput(): boolean {
    let moved = false;
    for (let bytes = this.#input[0]; bytes !== undefined; bytes = this.#input[0]) {
      const given = this.#ring.giveInput(bytes) ?? this.#complain('input');
      if (given === undefined || given === 0) {
        break;
      }
      moved = true;
      this.#inputBytes -= given;
      if (given === bytes.length) {
        this.#input.shift();
      } else {
        this.#input[0] = bytes.subarray(given);
      }
    }
    if (this.#inputBytes <= INPUT_HIGH_WATER) {
      this.#releaseWaiting();
    }
    return moved;
  }

  #dropInput(): void {
    this.#input = [];
    this.#inputBytes = 0;
    this.#releaseWaiting();
  }

  #releaseWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach((resolve) => resolve());
  }

  #complain(what: string): undefined {
    if (!this.#complained) {
      this.#complained = true;
      this.#ports.log.warn(
        `${this.#ports.name}: the guest's ${what} ring indices cannot be; it is left alone until they can`,
      );
    }
    return undefined;
  }
}
