// The compiler tier: turns blocks that have become hot into regions of WebAssembly and puts them in the place
// of the blocks' heads; forgets them when the code cache drops their frame. Owned by the engine.

import type { EngineCounters } from '../../engine/index.ts';
import type { CodeCache, CodeWatcher } from '../cache/code-cache.ts';
import { compiledType } from '../interpret/linkage.ts';
import { opcodeOf } from '../ir/operations.ts';
import { Rec } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { MAX_COMPILED, MEMORY0_SIZE, TABLE_SIZE, Word } from '../runtime/layout.ts';
import { cutLinks } from '../runtime/link-key.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { ValueType } from '../wasm/instructions.ts';
import { IMPORT_MODULE, ModuleBuilder } from '../wasm/module-builder.ts';
import type { BlockFinder } from './block-finder.ts';
import { compileRegion } from './compile-region.ts';
import type { CompilerCallees } from './compiled-function.ts';
import { Links } from './links.ts';
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
  probe(address: bigint, access: number): number;
  lookup(rip: bigint, key: bigint, link: number): number;
  settle(code: number, expected: bigint, depth: number): number;
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

/** A compiled region; see `compiledType`. */
type CompiledFunction = (budget: number, codePage: bigint, depth: number) => number;

/** A compiled function and what it was made of. */
interface Made {
  readonly compiled: CompiledFunction;
  readonly code: FunctionBuilder;
  /** Names of the functions that it can call, by index. */
  readonly calls: readonly string[];
  /** Bytes of its module. */
  readonly size: number;
}

/** What is known of the region in a place of the table. */
interface Placed {
  readonly head: number;
  readonly frames: ReadonlySet<number>;
  /** Bytes of its module. */
  readonly size: number;
}

const WASM_PAGE = 65536;
const COMPILED = opcodeOf('compiled');
const HEAD = opcodeOf('head');
const NEVER = 0x7fffffff;
const EXPORT = 'region';
const MOST_COST = 2 ** 28;

/**
 * Bytes of WebAssembly that are kept; then everything is dropped. The host's machine code for it is some ten times as
 * long, and a guest chooses how much there is.
 */
const MAX_CODE_BYTES = 16 << 20;

/** Frames whose compiled code was dropped this often hold data that changes: they stay interpreted. */
const MAX_DROPS = 16;

/** Compiles regions. */
export class Compiler implements CodeWatcher {
  readonly #memory: EngineMemory;
  readonly #cache: CodeCache;
  readonly #finder: BlockFinder;
  readonly #links: Links;
  readonly #table: WebAssembly.Table;
  readonly #machine: WebAssembly.Memory;
  readonly #imports: CompiledImports;
  readonly #policy: CompilerPolicy;
  readonly #counters: EngineCounters;
  readonly #free: number[] = [];
  /** The first place that has never been used since all code was dropped; place 0 stands for none. */
  #nextPlace = 1;
  readonly #placed = new Map<number, Placed>();
  /** Places in the table by frame. */
  readonly #places = new Map<number, Set<number>>();
  readonly #drops = new Map<number, number>();
  #codeBytes = 0;
  /** Counts how often all code was dropped. */
  #generation = 0;
  #observer: CompileObserver | undefined;
  readonly threshold: number;

  constructor(
    memory: EngineMemory,
    machine: WebAssembly.Memory,
    cache: CodeCache,
    finder: BlockFinder,
    table: WebAssembly.Table,
    imports: CompiledImports,
    policy: CompilerPolicy,
    counters: EngineCounters,
  ) {
    this.#memory = memory;
    this.#machine = machine;
    this.#cache = cache;
    this.#finder = finder;
    this.#links = new Links(memory);
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

  /** Compiles the region of a head record that has counted to its end; it is at the beginning of the running code. */
  compile(head: number): void {
    const { u16, i32 } = this.#memory;
    const frame = this.#cache.frameOf(head);
    i32[(head + Rec.IMM) >> 2] = NEVER;
    if (frame < 0 || (!this.#policy.eager && (this.#drops.get(frame) ?? 0) >= MAX_DROPS)) return;
    const isFull = this.#free.length === 0 && this.#nextPlace >= MAX_COMPILED;
    if (isFull || this.#links.isFull || this.#codeBytes >= MAX_CODE_BYTES) this.#evict();
    const generation = this.#generation;
    this.#finder.begin(frame);
    const region = formRegion(this.#memory, this.#finder, u16[(head + Rec.RIP) >> 1]);
    // Decoding what the region reaches can drop everything, head and region too.
    if (this.#generation !== generation) return;
    const made = this.#instantiate((callees) =>
      compileRegion(region, this.#memory, callees, this.#links, this.#observer !== undefined),
    );
    const place = this.#free.pop() ?? this.#nextPlace++;
    this.#table.set(place, made.compiled);
    this.#note(place, { head, frames: new Set(region.pages.map((page) => page.frame)), size: made.size });
    u16[(head + Rec.OPCODE) >> 1] = COMPILED;
    i32[(head + Rec.IMM) >> 2] = place;
    // What compiling costs goes with the length, within what a budget can be short of.
    i32[Word.BUDGET >> 2] -= Math.min(this.#policy.cost * Math.ceil(made.size / 1024), MOST_COST);
    this.#counters.compiledRegions++;
    this.#counters.compiledBytes += made.size;
    this.#observer?.compiled({ head, pages: region.pages, code: made.code, calls: made.calls });
  }

  /** The code of a frame is gone. Functions that are running finish: they leave at their next look at `Word.DROPPED`. */
  frameDropped(frame: number): void {
    const places = this.#places.get(frame);
    if (places === undefined) return;
    cutLinks(this.#memory);
    this.#drops.set(frame, (this.#drops.get(frame) ?? 0) + 1);
    this.#counters.droppedRegions += places.size;
    for (const place of places) {
      const placed = this.#placed.get(place);
      if (placed === undefined) continue;
      this.#placed.delete(place);
      for (const other of placed.frames) this.#places.get(other)?.delete(place);
      // the head may be in another frame, whose blocks stay
      this.#resetHead(placed.head);
      this.#table.set(place, null);
      this.#codeBytes -= placed.size;
      this.#free.push(place);
    }
    this.#places.delete(frame);
  }

  /** All code is gone. */
  allDropped(): void {
    this.#forgetRegions();
    this.#generation++;
  }

  /** Drops all regions to make room; their blocks count from the beginning, so that what is hot comes back soon. */
  #evict(): void {
    this.#counters.evictions++;
    for (const { head } of this.#placed.values()) this.#resetHead(head);
    this.#forgetRegions();
  }

  #forgetRegions(): void {
    cutLinks(this.#memory);
    this.#counters.evictedRegions += this.#placed.size;
    for (const place of this.#placed.keys()) this.#table.set(place, null);
    this.#placed.clear();
    this.#places.clear();
    this.#drops.clear(); // frames get other contents and other owners in time
    this.#links.reset();
    this.#free.length = 0;
    this.#nextPlace = 1;
    this.#codeBytes = 0;
  }

  #resetHead(head: number): void {
    const { u16, i32 } = this.#memory;
    u16[(head + Rec.OPCODE) >> 1] = HEAD;
    i32[(head + Rec.IMM) >> 2] = this.threshold;
  }

  #note(place: number, placed: Placed): void {
    this.#placed.set(place, placed);
    this.#codeBytes += placed.size;
    for (const frame of placed.frames) {
      const places = this.#places.get(frame);
      if (places === undefined) this.#places.set(frame, new Set([place]));
      else places.add(place);
    }
  }

  /** Makes a module of one function. */
  #instantiate(compile: (callees: CompilerCallees) => FunctionBuilder): Made {
    const { i32, i64 } = ValueType;
    const module = new ModuleBuilder();
    const nrPages = MEMORY0_SIZE / WASM_PAGE;
    const machinePages = this.#machine.buffer.byteLength / WASM_PAGE;
    module.importMemory('state', { initial: nrPages, maximum: nrPages, shared: false });
    module.importMemory('machine', { initial: machinePages, maximum: machinePages, shared: true });
    module.importTable('compiled', TABLE_SIZE);
    const type = compiledType(module);
    const callees: CompilerCallees = {
      slowLoad: module.importFunction('slowLoad', [i32], [i32]),
      slowLoadForWrite: module.importFunction('slowLoadForWrite', [i32], [i32]),
      slowStore: module.importFunction('slowStore', [i32], [i32]),
      helper: module.importFunction('helper', [i32, i32], [i32]),
      string: module.importFunction('string', [i32], [i32]),
      readTsc: module.importFunction('readTsc', [], []),
      probe: module.importFunction('probe', [i64, i32], [i32]),
      lookup: module.importFunction('lookup', [i64, i64, i32], [i32]),
      settle: module.importFunction('settle', [i32, i64, i32], [i32]),
      compiledType: type,
      operationType: module.type([i32, i32], [i32]),
    };
    const code = compile(callees);
    module.exportFunction(EXPORT, module.addFunction(type, code));
    const bytes = module.encode();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      [IMPORT_MODULE]: {
        ...this.#imports,
        state: this.#memory.memory,
        machine: this.#machine,
        compiled: this.#table,
      },
    });
    const compiled = instance.exports[EXPORT] as CompiledFunction; // what has just been exported
    return { compiled, code, calls: module.importedFunctions, size: bytes.length };
  }
}
