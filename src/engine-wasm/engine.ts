// The WebAssembly engine: implements the engine port by running decoded blocks in the interpreter. This
// file is the driver: it finds or decodes the block at rip, runs it, and turns exit codes into exits.

import { bug, type Maddr, type Mfn, type Vaddr } from '../base/index.ts';
import {
  type AccessKind,
  Cpu,
  createEngineCounters,
  createExitRecord,
  type Engine,
  type EngineCounters,
  type EnginePorts,
  type EngineTier,
  Exit,
  type ExitReason,
  type ExitRecord,
  Gpr,
  Rflags,
  type VcpuContext,
} from '../engine/index.ts';
import { addressOf, type MachineMemory } from '../machine/index.ts';
import { Vector } from '../x86/index.ts';
import { CodeCache } from './cache/code-cache.ts';
import { CodeSource } from './cache/code-source.ts';
import { readCounts } from './interpret/count.ts';
import {
  buildInterpreter,
  placeRareWays,
  type InterpreterExports,
  type RuntimeImports,
} from './interpret/interpreter.ts';
import { BlockFinder } from './compile/block-finder.ts';
import { Compiler, type CompilerPolicy } from './compile/compiler.ts';
import { Dumper, type Dumps } from './dump/dumper.ts';
import { ExitCode } from './ir/exit-code.ts';
import { opcodeOf, OPERATIONS } from './ir/operations.ts';
import { Rec } from './ir/record.ts';
import { storedBytes } from './ir/stored-bytes.ts';
import { usesStackSegment } from './ir/stack-segment.ts';
import { gprSlot, temp } from './ir/slots.ts';
import { Context, Contexts } from './runtime/contexts.ts';
import { EngineMemory } from './runtime/engine-memory.ts';
import { GuestData } from './runtime/guest-data.ts';
import { HELPERS } from './runtime/helper-table.ts';
import { NOT_CANONICAL, Word } from './runtime/layout.ts';
import { StateView } from './runtime/state.ts';
import { StringUnit } from './runtime/string.ts';
import { Translation } from './runtime/translation.ts';
import { IMPORT_MODULE } from './wasm/module-builder.ts';

const WASM_PAGE = 65536;
const EXIT_OPCODE = opcodeOf('exit');
const TWO_32 = 2 ** 32;
const DEFAULT_TIER: EngineTier = 'auto';

/** Instructions that decoding a block counts for, so that a guest which makes us do little else is interrupted in time. */
const DECODE_COST = 1000;
const RET = opcodeOf('ret');
const CALLS: readonly number[] = [opcodeOf('call'), opcodeOf('callr')];

/** How each tier compiles; not at all where there is nothing. */
const POLICIES: Readonly<Record<EngineTier, CompilerPolicy | undefined>> = {
  interpreter: undefined,
  compiler: { threshold: 1, eager: true, cost: 0 },
  auto: { threshold: 8000, eager: false, cost: 50_000 },
};

/** What an engine does beside running code, or in another way; nothing of it unless it is asked for. */
export interface EngineOptions {
  /** Entries of a block until it is compiled, instead of the tier's number. For tests. */
  readonly threshold?: number;
  /** Counts what costs time to count: page walks, look-ups, calls of compiled code. */
  readonly counted?: boolean;
  /** Prints code when it is decoded or compiled. */
  readonly dumps?: Dumps;
}

/** Makes an engine. @param scratch - a frame that the engine may use for its own purposes; @param tier - how it runs code */
export function createEngine(
  machine: MachineMemory,
  ports: EnginePorts,
  scratch: Mfn,
  tier: EngineTier = DEFAULT_TIER,
  options: EngineOptions = {},
): Engine {
  return new WasmEngine(machine, ports, scratch, tier, options);
}

class WasmEngine implements Engine {
  readonly exit: ExitRecord = createExitRecord();
  readonly counters: EngineCounters = createEngineCounters();
  readonly #memory = new EngineMemory();
  readonly #contexts = new Contexts(this.#memory);
  readonly #translation = new Translation(this.#memory);
  readonly #cache = new CodeCache(this.#memory, this.counters);
  readonly #source: CodeSource;
  readonly #interpreter: InterpreterExports;
  readonly #compiler: Compiler | undefined;
  readonly #readTsc: () => number;
  /** What `storedBytes` says of the last single step. */
  #stored = 0;

  constructor(
    machine: MachineMemory,
    ports: EnginePorts,
    scratch: Mfn,
    tier: EngineTier,
    { counted = false, dumps, threshold }: EngineOptions,
  ) {
    const memory = this.#memory;
    this.#readTsc = () => ports.readTsc();
    this.#source = new CodeSource(memory, machine, this.#translation, this.#cache);
    const data = new GuestData(memory, machine, this.#translation, this.#cache, addressOf(scratch));
    const strings = new StringUnit(memory, machine, this.#translation, this.#cache);
    const view = new StateView(memory.memory.buffer);
    const imports: RuntimeImports = {
      crossingLoad: (bytes) => data.crossingLoad(bytes),
      crossingLoadForWrite: (bytes) => data.crossingLoadForWrite(bytes),
      crossingStore: (bytes) => data.crossingStore(bytes),
      codeWritten: (address) => {
        this.counters.invalidatedFrames++;
        data.codeWritten(address);
      },
      helper: (record, index) => {
        const at = record >> 1;
        const { u16, u32 } = memory;
        const result =
          HELPERS[index]?.[1](
            view,
            u16[at + Rec.A / 2] ?? 0,
            u16[at + Rec.B / 2] ?? 0,
            u32[(record + Rec.C) >> 2] ?? 0,
          ) ?? bug('no such helper');
        if (result !== 0) memory.u32[Word.DETAIL >> 2] = result - 1;
        return result;
      },
      string: (record) => strings.run(record),
      readTsc: () => {
        const tsc = ports.readTsc();
        const { gpr32 } = memory.cpu;
        gpr32[2 * Gpr.RAX] = tsc;
        gpr32[2 * Gpr.RAX + 1] = 0;
        gpr32[2 * Gpr.RDX] = Math.floor(tsc / TWO_32);
        gpr32[2 * Gpr.RDX + 1] = 0;
      },
    };
    const bytes = buildInterpreter(OPERATIONS, machine.memory.buffer.byteLength / WASM_PAGE, counted);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      [IMPORT_MODULE]: { ...imports, state: memory.memory, machine: machine.memory },
    });
    this.#interpreter = instance.exports as unknown as InterpreterExports; // what `buildInterpreter` exports
    const tierPolicy = POLICIES[tier];
    if (tierPolicy !== undefined) {
      const policy = threshold === undefined ? tierPolicy : { ...tierPolicy, threshold };
      placeRareWays(instance.exports, OPERATIONS.length);
      this.#compiler = new Compiler(
        memory,
        machine.memory,
        this.#cache,
        new BlockFinder(memory, this.#cache, this.#source, this.#translation, policy),
        this.#interpreter.compiled,
        { ...imports, ...this.#interpreter },
        policy,
        this.counters,
      );
      this.#cache.watch(this.#compiler);
    }
    this.#translation.connect(this.#interpreter.walk);
    if (dumps !== undefined) {
      const dumper = new Dumper(dumps, memory, machine, (record) => this.#cache.frameOf(record));
      this.#source.observe(dumper);
      this.#compiler?.observe(dumper);
    }
  }

  createContext(): VcpuContext {
    return new Context(this.#contexts);
  }

  destroyContext(context: VcpuContext): void {
    this.#contexts.destroy(context as Context); // contexts come from createContext
  }

  enter(context: VcpuContext, budget: number): ExitReason {
    this.activate(context);
    const { i32 } = this.#memory;
    let left = budget;
    let record = 0;
    let reason: ExitReason | 0 = 0;
    do {
      if ((i32[Cpu.FLAG_SYSTEM >> 2] & Rflags.TF) !== 0) {
        reason = this.#step();
        if (reason === Exit.BUDGET) reason = this.#raise(Vector.DB);
        break;
      }
      const code = this.#interpreter.enter(record, left);
      record = 0;
      if (code !== ExitCode.DISPATCH) reason = this.#finish(code);
      left = i32[Word.BUDGET >> 2] - 1; // so that a guest which never completes an instruction still uses up its budget
      const hasRun = left !== budget - 1; // else this is the first look, which is made however little there is
      if (code === ExitCode.DISPATCH && (left > 0 || !hasRun)) {
        record = this.#source.find();
        left -= (this.#source.decodedBlocks - this.counters.decodedBlocks) * DECODE_COST;
        this.counters.decodedBlocks = this.#source.decodedBlocks;
        if (record < 0) reason = this.#fault(record);
      }
    } while (reason === 0 && (left > 0 || record > 0)); // what has been decoded runs, whatever that has cost
    this.counters.instructions += budget - left;
    this.#countTransitions();
    this.exit.reason = reason === 0 ? Exit.BUDGET : reason;
    return this.exit.reason;
  }

  /** Brings the counters up to date with what `enter` of the generated code did by itself. @hot */
  #countTransitions(): void {
    const { u32 } = this.#memory;
    this.counters.systemCalls += u32[Word.NR_SYSCALLS >> 2];
    this.counters.returns += u32[Word.NR_RETURNS >> 2];
    this.counters.pageFaults += u32[Word.NR_PAGE_FAULTS >> 2];
    u32[Word.NR_SYSCALLS >> 2] = 0;
    u32[Word.NR_RETURNS >> 2] = 0;
    u32[Word.NR_PAGE_FAULTS >> 2] = 0;
  }

  stepWithWritable(context: VcpuContext, page: Vaddr, scratch: Mfn): ExitReason {
    this.activate(context);
    const start = page - (page % 4096);
    this.#translation.override(start, addressOf(scratch));
    try {
      this.exit.reason = this.#step();
      if (this.exit.reason === Exit.BUDGET) this.exit.size = this.#stored;
    } finally {
      this.#translation.endOverride(start); // whatever happened: no other flush knows of the override
    }
    return this.exit.reason;
  }

  translate(context: VcpuContext, address: Vaddr, access: AccessKind, kernelMode: boolean): Maddr | -1 {
    const { u32 } = this.#memory;
    const mode = Cpu.KERNEL_MODE >> 2;
    const before = u32[mode] ?? 0;
    u32[mode] = kernelMode ? 1 : 0;
    // The caller may hold views on the registers of any vCPU, so none of them moves here.
    const other = !this.#contexts.isActive(context as Context); // contexts come from createContext
    const result = other ? this.#translateFor(context, address, access) : this.#translation.translate(address, access);
    u32[mode] = before;
    return result as Maddr | -1; // a machine address or -1
  }

  /** Translates for a vCPU that is not the active one: with its base pointers, and nobody's TLB. */
  #translateFor(context: VcpuContext, address: Vaddr, access: AccessKind): number {
    const { cpu } = this.#memory;
    const { state } = context;
    const kernelRoot = cpu.readU32(Cpu.KERNEL_ROOT);
    const userRoot = cpu.readU32(Cpu.USER_ROOT);
    cpu.writeU32(Cpu.KERNEL_ROOT, state.readU32(Cpu.KERNEL_ROOT));
    cpu.writeU32(Cpu.USER_ROOT, state.readU32(Cpu.USER_ROOT));
    this.#translation.flush();
    const result = this.#translation.translate(address, access);
    this.#translation.flush();
    cpu.writeU32(Cpu.KERNEL_ROOT, kernelRoot);
    cpu.writeU32(Cpu.USER_ROOT, userRoot);
    return result;
  }

  flushTlb(): void {
    this.counters.tlbFlushes++;
    this.#translation.flush();
  }

  flushTlbLowerHalf(): void {
    this.counters.tlbLowerFlushes++;
    this.#translation.flushLowerHalf();
  }

  reachesUpperHalf(table: Mfn): boolean {
    return this.#translation.reachesUpperHalf(table);
  }

  flushWritesTo(frame: Mfn): void {
    this.#translation.flushWritesTo(addressOf(frame));
  }

  flushTlbPage(page: Vaddr): void {
    this.counters.tlbPageFlushes++;
    this.#translation.flushPage(page);
  }

  hasCode(frame: Mfn): boolean {
    return this.#cache.hasCode(frame);
  }

  invalidateCode(frame: Mfn): void {
    if (!this.#cache.hasCode(frame)) return;
    this.counters.invalidatedFrames++;
    this.#cache.drop(frame, 0);
  }

  setHypervisorRoot(root: Mfn): void {
    this.#memory.u32[Word.HYPERVISOR_ROOT >> 2] = addressOf(root);
    this.#translation.flush();
  }

  details(): Record<string, number> {
    return readCounts(this.#memory.u32);
  }

  activate(context: VcpuContext): void {
    if (this.#contexts.activate(context as Context)) this.#translation.flush(); // contexts come from createContext
  }

  /** Runs one instruction. @returns BUDGET when it completed */
  #step(): ExitReason {
    const record = this.#source.single();
    this.#stored = 0;
    if (record < 0) return this.#fault(record);
    this.#stored = storedBytes(this.#memory.u16, record);
    const reason = this.#finish(this.#interpreter.run(record, 1));
    this.counters.instructions++;
    return reason === 0 ? Exit.BUDGET : reason;
  }

  /** Turns an exit code into an exit; 0 when the guest just goes on. */
  #finish(code: number): ExitReason | 0 {
    const { u16, u32, i32, cpu } = this.#memory;
    if (code === ExitCode.DISPATCH) return 0;
    if (code === ExitCode.BUDGET) return Exit.BUDGET;
    const record = u32[Word.RECORD >> 2] ?? 0;
    if (code === ExitCode.HOT) {
      this.#compile(record);
      return 0;
    }
    if (code === ExitCode.NO_TARGET && isCanonical(cpu.rip)) return 0; // the next look finds the page fault
    this.#setAddress(Cpu.RIP, u16[(record + Rec.RIP) >> 1]);
    if (code === ExitCode.NO_TARGET) return this.#refuseTarget(record);
    if (code === ExitCode.PAGE_FAULT) {
      const isStack = usesStackSegment(u16[(record + Rec.OPCODE) >> 1] ?? 0, u16[(record + Rec.B) >> 1] ?? 0);
      return this.#fault(-1, isStack ? Vector.SS : Vector.GP);
    }
    if (code === ExitCode.EXCEPTION && u16[(record + Rec.OPCODE) >> 1] !== EXIT_OPCODE)
      return this.#raise(u32[Word.DETAIL >> 2] ?? 0);
    const detail = i32[(record + Rec.IMM) >> 2] ?? 0;
    const exit = this.exit;
    const next = u16[(record + Rec.C) >> 1];
    switch (code) {
      case ExitCode.EXCEPTION:
        return this.#raise(detail);
      case ExitCode.SYSCALL:
        this.#setAddress(gprSlot(Gpr.RCX), next);
        this.#setAddress(Cpu.RIP, next);
        cpu.gpr32[2 * Gpr.R11] = cpu.rflags;
        cpu.gpr32[2 * Gpr.R11 + 1] = 0;
        return Exit.SYSCALL;
      case ExitCode.SYSENTER:
        return Exit.SYSENTER;
      case ExitCode.SOFTWARE_INTERRUPT:
        exit.vector = detail;
        exit.nextRip = this.#addressOf(next);
        return Exit.SOFTWARE_INTERRUPT;
      case ExitCode.TRAP:
        this.#setAddress(Cpu.RIP, next);
        return this.#raise(detail);
      case ExitCode.RESUME:
        this.#setAddress(Cpu.RIP, next);
        return 0;
      case ExitCode.ASSIST:
        exit.nextRip = this.#addressOf(next);
        exit.assist = (detail & 0xff) as ExitRecord['assist']; // lowering packs an AssistKind
        exit.reg = (detail >> 8) & 0xff;
        exit.index = (detail >> 16) & 0xff;
        exit.size = detail >>> 24;
        exit.value = u32[temp(0) >> 2] ?? 0;
        exit.stackDelta = u16[(record + Rec.D) >> 1] ?? 0;
        return Exit.ASSIST;
      default:
        return bug(`exit code ${code}`);
    }
  }

  /** Stores the address at an offset from the code page in a slot of the state, by halves: a BigInt costs as much as the rest. @hot */
  #setAddress(slot: number, offset: number): void {
    const { u32 } = this.#memory;
    const lo = u32[Cpu.CODE_PAGE >> 2] + offset;
    const hi = u32[(Cpu.CODE_PAGE >> 2) + 1];
    u32[slot >> 2] = lo;
    u32[(slot >> 2) + 1] = lo > 0xffffffff ? hi + 1 : hi;
  }

  /** The address at an offset from the code page. */
  #addressOf(offset: number): bigint {
    return BigInt.asUintN(64, this.#memory.cpu.readU64(Cpu.CODE_PAGE) + BigInt(offset));
  }

  #compile(head: number): void {
    const { counters } = this;
    const startNs = this.#readTsc();
    this.#compiler?.compile(head);
    const ns = this.#readTsc() - startNs;
    counters.compileNs += ns;
    counters.longestCompileNs = Math.max(counters.longestCompileNs, ns);
  }

  /** A branch to an address that is not canonical faults itself; what it did to the stack pointer is undone. */
  #refuseTarget(record: number): ExitReason {
    const { u16, i32, cpu } = this.#memory;
    const opcode = u16[(record + Rec.OPCODE) >> 1] ?? 0;
    const rsp = cpu.gpr[Gpr.RSP] ?? 0n;
    if (opcode === RET) cpu.gpr[Gpr.RSP] = rsp - 8n - BigInt(i32[(record + Rec.IMM) >> 2] ?? 0);
    else if (CALLS.includes(opcode)) cpu.gpr[Gpr.RSP] = rsp + 8n;
    return this.#raise(Vector.GP);
  }

  #raise(vector: number): ExitReason {
    this.exit.vector = vector;
    this.exit.errorCode = 0;
    return Exit.EXCEPTION;
  }

  /**
   * A fault on translation: recorded by the walk (-1), or one of `CodeSource`'s own.
   * @param notCanonical - vector for an address that is not canonical
   */
  #fault(kind: number, notCanonical: number = Vector.GP): ExitReason {
    const { u32, u64 } = this.#memory;
    if (kind !== -1) return this.#raise(-kind - 2);
    const code = u32[Word.FAULT_CODE >> 2] ?? 0;
    if (code === NOT_CANONICAL) return this.#raise(notCanonical);
    this.exit.vector = Vector.PF;
    this.exit.errorCode = code;
    this.exit.faultAddress = u64[Word.SLOW_ADDRESS >> 3] ?? 0n;
    return Exit.EXCEPTION;
  }
}

function isCanonical(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
}
