// Prints the code at addresses that somebody asked for, when it is decoded or compiled. Made by the engine when there
// is such a wish; observes the code source and the compiler.

import { Cpu } from '../../engine/index.ts';
import type { MachineMemory } from '../../machine/index.ts';
import type { DecodedBlock, DecodeObserver } from '../cache/decode-observer.ts';
import type { CompiledRegion, CompileObserver } from '../compile/observer.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { blockText } from './block-text.ts';
import { type FrameOf, regionText } from './region-text.ts';

/** What to print: the records of the block, or the WebAssembly of the region, that holds a guest address. */
export interface DumpRequest {
  readonly form: 'ir' | 'wasm';
  /** Virtual address. u64 */
  readonly address: bigint;
}

/** Where dumps go. */
export interface Dumps {
  readonly requests: readonly DumpRequest[];
  /** Takes the lines of one dump, with line ends. @param request - index in `requests` */
  write(request: number, text: string): void;
}

/** Dumps of one request: code that a guest writes anew all the time would fill any disk. */
const MOST_DUMPS = 1000;

/** Looks at what is decoded and compiled. */
export class Dumper implements DecodeObserver, CompileObserver {
  readonly #dumps: Dumps;
  readonly #memory: EngineMemory;
  readonly #machine: MachineMemory;
  readonly #frameOf: FrameOf;
  readonly #counts: number[];

  constructor(dumps: Dumps, memory: EngineMemory, machine: MachineMemory, frameOf: FrameOf) {
    this.#dumps = dumps;
    this.#memory = memory;
    this.#machine = machine;
    this.#frameOf = frameOf;
    this.#counts = dumps.requests.map(() => 0);
  }

  decoded(block: DecodedBlock): void {
    this.#dump('ir', (address) => blockText(this.#machine, block, address));
  }

  compiled(region: CompiledRegion): void {
    const page = this.#memory.cpu.readU64(Cpu.CODE_PAGE);
    this.#dump('wasm', (address) => regionText(this.#memory, this.#machine, this.#frameOf, region, page, address));
  }

  #dump(form: DumpRequest['form'], text: (address: bigint) => string | undefined): void {
    for (const [n, request] of this.#dumps.requests.entries()) {
      const count = this.#counts[n] ?? 0;
      if (request.form !== form || count >= MOST_DUMPS) continue;
      const found = text(request.address);
      if (found === undefined) continue;
      this.#counts[n] = count + 1;
      this.#dumps.write(n, count + 1 < MOST_DUMPS ? found : `${found}further dumps of this address are left out\n`);
    }
  }
}
