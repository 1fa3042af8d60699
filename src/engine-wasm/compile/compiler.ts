// The compiler tier: turns blocks that have become hot into regions of WebAssembly and puts them in the place
// of the blocks' heads; forgets them when the code cache drops their frame. Owned by the engine.

import type { EngineCounters } from '../../engine/index.ts';
import type { CodeCache, CodeWatcher } from '../cache/code-cache.ts';
import type { CodeSource } from '../cache/code-source.ts';
import type { Callees } from '../interpret/locals.ts';
import { opcodeOf } from '../ir/operations.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { MAX_COMPILED, MEMORY0_SIZE, Word } from '../runtime/layout.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { ValueType } from '../wasm/instructions.ts';
import { IMPORT_MODULE, ModuleBuilder } from '../wasm/module-builder.ts';
import { compileRegion } from './compile-region.ts';
import type { CompileObserver } from './observer.ts';
import { formRegion } from './region.ts';

/** What compiled code calls. */
export interface CompiledImports {
  slowLoad(bytes: number): number;
  slowLoadForWrite(bytes: number): number;
  slowStore(bytes: number): number;
  helper(record: number, index: number): number;
  string(record: number): number;
  readTsc(): void;
}

/** How the compiler chooses what to compile. */
export interface CompilerPolicy {
  /** Entries of a block until it is compiled. */
  readonly threshold: number;
  /** Decode what a region can reach instead of taking only what has run. */
  readonly eager: boolean;
  /** Instructions that each KiB of a region's code uses up of the budget, so that a guest which makes us do little else is interrupted in time. */
  readonly cost: number;
}

/** A compiled region: (budget, displacement of the TLBs) -> `CompiledExit` or `ExitCode`. */
type CompiledFunction = (budget: number, tlb: number) => number;

/** A compiled function and what it was made of. */
interface Made {
  readonly compiled: CompiledFunction;
  readonly code: FunctionBuilder;
  /** Names of the functions that it can call, by index. */
  readonly calls: readonly string[];
}

const WASM_PAGE = 65536;
const FRAME_SHIFT = 12;
const HEAD = opcodeOf('head');
const COMPILED = opcodeOf('compiled');
const NEVER = 0x7fffffff;
const EXPORT = 'region';
const MOST_COST = 2 ** 28;

/**
 * Bytes of WebAssembly that are kept; then everything is dropped. The host's machine code for it is some ten times as
 * long, and a guest chooses how much there is.
 */
const MAX_CODE_BYTES = 8 << 20;

/** A block belongs to a region when it has run at least this fraction of the threshold. */
const WARM_FRACTION = 32;

/** Frames whose compiled code was dropped this often hold data that changes: they stay interpreted. */
const MAX_DROPS = 16;

/** Compiles regions. */
export class Compiler implements CodeWatcher {
  readonly #memory: EngineMemory;
  readonly #cache: CodeCache;
  readonly #source: CodeSource;
  readonly #table: WebAssembly.Table;
  readonly #machine: WebAssembly.Memory;
  readonly #imports: CompiledImports;
  readonly #policy: CompilerPolicy;
  readonly #counters: EngineCounters;
  readonly #free: number[] = [];
  #nextPlace = 0;
  /** Places in the table by frame. */
  readonly #places = new Map<number, number[]>();
  readonly #drops = new Map<number, number>();
  /** Bytes of the function in each place, and of all. */
  readonly #sizes: number[] = [];
  #codeBytes = 0;
  /** Counts how often all code was dropped. */
  #generation = 0;
  #observer: CompileObserver | undefined;
  readonly threshold: number;

  constructor(
    memory: EngineMemory,
    machine: WebAssembly.Memory,
    cache: CodeCache,
    source: CodeSource,
    table: WebAssembly.Table,
    imports: CompiledImports,
    policy: CompilerPolicy,
    counters: EngineCounters,
  ) {
    this.#memory = memory;
    this.#machine = machine;
    this.#cache = cache;
    this.#source = source;
    this.#table = table;
    this.#imports = imports;
    this.#policy = policy;
    this.#counters = counters;
    this.threshold = policy.threshold;
  }

  /** Tells `observer` of every region that is compiled from now on. */
  observe(observer: CompileObserver): void {
    this.#observer = observer;
  }

  /** Compiles the region of a head record that has counted to its end. */
  compile(head: number): void {
    const { u16, i32 } = this.#memory;
    const frame = this.#cache.frameOf(head);
    i32[(head + Rec.IMM) >> 2] = NEVER;
    if (frame < 0 || (!this.#policy.eager && (this.#drops.get(frame) ?? 0) >= MAX_DROPS)) return;
    if ((this.#free.length === 0 && this.#nextPlace >= MAX_COMPILED) || this.#codeBytes >= MAX_CODE_BYTES) {
      this.#cache.dropAll(); // the caller looks its block up again
      return;
    }
    const generation = this.#generation;
    const region = formRegion(
      this.#memory,
      { block: (offset) => this.#block(frame, offset) },
      frame,
      u16[(head + Rec.RIP) >> 1],
    );
    // Decoding what the region reaches can drop everything, head and region too.
    if (this.#generation !== generation) return;
    const place = this.#free.pop() ?? this.#nextPlace++;
    const made = this.#instantiate(place, (callees) =>
      compileRegion(region, this.#memory, callees, this.#observer !== undefined),
    );
    this.#table.set(place, made.compiled);
    const places = this.#places.get(frame);
    if (places === undefined) this.#places.set(frame, [place]);
    else places.push(place);
    u16[(head + Rec.OPCODE) >> 1] = COMPILED;
    i32[(head + Rec.IMM) >> 2] = place;
    // What compiling costs goes with the length, within what a budget can be short of.
    i32[Word.BUDGET >> 2] -= Math.min(this.#policy.cost * Math.ceil((this.#sizes[place] ?? 0) / 1024), MOST_COST);
    this.#counters.compiledRegions++;
    this.#counters.compiledBytes += this.#sizes[place] ?? 0;
    this.#observer?.compiled({ head, pages: [{ distance: 0, frame }], code: made.code, calls: made.calls });
  }

  /** The code of a frame is gone. Functions that are running finish: they leave at their next look at the code map. */
  frameDropped(frame: number): void {
    const places = this.#places.get(frame);
    if (places === undefined) return;
    this.#places.delete(frame);
    this.#drops.set(frame, (this.#drops.get(frame) ?? 0) + 1);
    this.#counters.droppedRegions += places.length;
    for (const place of places) {
      this.#table.set(place, null);
      this.#codeBytes -= this.#sizes[place] ?? 0;
      this.#free.push(place);
    }
  }

  /** All code is gone. */
  allDropped(): void {
    this.#counters.evictedRegions += this.#nextPlace - this.#free.length;
    for (let place = 0; place < this.#nextPlace; place++) this.#table.set(place, null);
    this.#places.clear();
    this.#drops.clear();
    this.#free.length = 0;
    this.#nextPlace = 0;
    this.#codeBytes = 0;
    this.#generation++;
  }

  /** First record of a block behind its head, or 0 when the block does not belong into a region. */
  #block(frame: number, offset: number): number {
    const { u16, i32 } = this.#memory;
    const address = frame * 2 ** FRAME_SHIFT + offset;
    const head = this.#policy.eager ? this.#source.ensure(address) : this.#cache.lookup(address);
    if (head === 0) return 0;
    const opcode = u16[(head + Rec.OPCODE) >> 1];
    if (opcode !== HEAD && opcode !== COMPILED) return 0;
    const { threshold, eager } = this.#policy;
    const left = i32[(head + Rec.IMM) >> 2];
    const warm = eager || opcode === COMPILED || left === NEVER || (threshold - left) * WARM_FRACTION >= threshold;
    return warm ? head + RECORD_SIZE : 0;
  }

  /** Makes a module of one function. */
  #instantiate(place: number, compile: (callees: Callees) => FunctionBuilder): Made {
    const { i32 } = ValueType;
    const module = new ModuleBuilder();
    const nrPages = MEMORY0_SIZE / WASM_PAGE;
    const machinePages = this.#machine.buffer.byteLength / WASM_PAGE;
    module.importMemory('state', { initial: nrPages, maximum: nrPages, shared: false });
    module.importMemory('machine', { initial: machinePages, maximum: machinePages, shared: true });
    const type = module.type([i32, i32], [i32]);
    const callees: Callees = {
      walk: 0, // compiled code goes through the slow paths
      slowLoad: module.importFunction('slowLoad', [i32], [i32]),
      slowLoadForWrite: module.importFunction('slowLoadForWrite', [i32], [i32]),
      slowStore: module.importFunction('slowStore', [i32], [i32]),
      helper: module.importFunction('helper', [i32, i32], [i32]),
      string: module.importFunction('string', [i32], [i32]),
      readTsc: module.importFunction('readTsc', [], []),
      checkNextPage: 0, // blocks that need it are not compiled
      compiledType: type,
    };
    const code = compile(callees);
    module.exportFunction(EXPORT, module.addFunction(type, code));
    const bytes = module.encode();
    this.#sizes[place] = bytes.length;
    this.#codeBytes += bytes.length;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      [IMPORT_MODULE]: { ...this.#imports, state: this.#memory.memory, machine: this.#machine },
    });
    return { compiled: instance.exports[EXPORT] as CompiledFunction, code, calls: module.importedFunctions }; // what has just been exported
  }
}
