// The interpreter: one WebAssembly function that runs packed records, generated from the table of
// operations. A record's operation is found with one br_table; control that leaves the record list
// goes through the dispatcher at the end of the function.

import { Access, Cpu } from '../../engine/index.ts';
import { ExitCode } from '../ir/exit-code.ts';
import { operandUse } from '../ir/operand-use.ts';
import type { Operation } from '../ir/operation.ts';
import { opcodeOf } from '../ir/operations.ts';
import { Rec } from '../ir/record.ts';
import { BLOCK_TABLE, MAX_COMPILED, MEMORY0_SIZE, TABLE_SIZE, Tlb, USER_TLB, TLB_FRAME } from '../runtime/layout.ts';
import { FunctionBuilder, type Label } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import { ModuleBuilder } from '../wasm/module-builder.ts';
import { emitControl, emitNext, type Targets } from './control.ts';
import { Count } from './count.ts';
import { InterpreterEmitter } from './emitter.ts';
import { type Callees, declareLocals, type Locals } from './locals.ts';
import { addBulkString } from './bulk-string.ts';
import { addEnter } from './enter.ts';
import { emitMemoryAccess, pushTlbEntry } from './memory-access.ts';
import { addLookup, addSettle, compiledType, pushBlockTableSlot } from './linkage.ts';
import { addProbe, addWalk } from './page-walk.ts';
import { addNextPageCheck } from './next-page.ts';
import { isOutOfLine } from './out-of-line.ts';
import { addSlowPaths } from './slow-paths.ts';
import { addTransitions } from './transitions.ts';

const { i32 } = ValueType;
const HEADS = [opcodeOf('head'), opcodeOf('compiled')] as const;
const WASM_PAGE = 65536;

/** Functions that the runtime supplies. */
export interface RuntimeImports {
  /** Gathers a load that crosses a page end. @returns machine address of the bytes, or -1 after recording a fault */
  crossingLoad(bytes: number): number;
  crossingLoadForWrite(bytes: number): number;
  /** Makes the store of SLOW_VALUE that crosses a page end or goes back after `crossingLoadForWrite`. @returns 0 or an `ExitCode` */
  crossingStore(bytes: number): number;
  /** A store into a frame with decoded code has been made. */
  codeWritten(machine: number, bytes: number): void;
  /** Runs a runtime helper. @returns 0, or 1 when it raised an exception */
  helper(record: number, index: number): number;
  /** Runs a string instruction. @returns 0 or an `ExitCode` */
  string(record: number): number;
  readTsc(): void;
}

/** What the generated module exports. */
export interface InterpreterExports {
  /** Runs records from `record` on. @returns an `ExitCode` */
  readonly run: (record: number, budget: number) => number;
  /** The same, from RIP when `record` is 0, and on behind the transitions that are allowed; see `enter.ts`. */
  readonly enter: (record: number, budget: number) => number;
  /** Functions that `compiled` records name. */
  readonly compiled: WebAssembly.Table;
  /** Slow paths of memory accesses, for compiled code. */
  readonly slowLoad: (bytes: number) => number;
  readonly slowLoadForWrite: (bytes: number) => number;
  readonly slowStore: (bytes: number) => number;
  /** Runs a string instruction, for compiled code. @returns 0 or an `ExitCode` */
  readonly string: (record: number) => number;
  /** See `addProbe`. */
  readonly probe: (address: bigint, access: number) => number;
  /** See `addLookup` and `addSettle`. */
  readonly lookup: (rip: bigint, key: bigint, link: number) => number;
  readonly settle: (code: number, expected: bigint, depth: number) => number;
  /** Walks the page tables of the current mode. @returns a `WalkResult` */
  readonly walk: (address: bigint, access: number) => number;
}

/**
 * Operations whose ways back to the loop join before they get there. V8 needs memory in proportion to the square of
 * the branches that meet in one place: 96 MiB to optimise the function with all of them in one.
 */
const GROUP = 32;

/**
 * The binary module of the interpreter.
 * @param machinePages - size of machine memory, in WebAssembly pages
 * @param counted - count page walks, look-ups and calls of compiled code
 */
export function buildInterpreter(
  operations: readonly Operation[],
  machinePages: number,
  counted: boolean,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const nrPages = MEMORY0_SIZE / WASM_PAGE;
  module.importMemory('state', { initial: nrPages, maximum: nrPages, shared: false });
  module.importMemory('machine', { initial: machinePages, maximum: machinePages, shared: true });
  const crossingLoad = module.importFunction('crossingLoad', [i32], [i32]);
  const crossingLoadForWrite = module.importFunction('crossingLoadForWrite', [i32], [i32]);
  const crossingStore = module.importFunction('crossingStore', [i32], [i32]);
  const codeWritten = module.importFunction('codeWritten', [i32, i32], []);
  const helper = module.importFunction('helper', [i32, i32], [i32]);
  const slowString = module.importFunction('string', [i32], [i32]);
  const readTsc = module.importFunction('readTsc', [], []);
  const walk = addWalk(module, counted);
  const checkNextPage = addNextPageCheck(module, walk);
  const string = addBulkString(module, walk, slowString);
  const slow = addSlowPaths(module, walk, { crossingLoad, crossingLoadForWrite, crossingStore, codeWritten });
  const runType = module.type([i32, i32], [i32]);
  const probe = addProbe(module);
  const lookup = addLookup(module, walk, counted);
  const settle = addSettle(module, lookup);
  const callees: Callees = {
    ...slow,
    walk,
    helper,
    string,
    readTsc,
    checkNextPage,
    compiledType: compiledType(module),
  };
  const outOfLine = new Map(
    operations
      .filter((operation) => isOutOfLine(operation))
      .map((operation) => [operation, module.addFunction(runType, buildOutOfLine(operation, callees))]),
  );
  const run = buildRun(operations, outOfLine, callees, counted);
  module.exportTable('compiled', TABLE_SIZE);
  operations.forEach((operation, number) => {
    const index = outOfLine.get(operation);
    if (index !== undefined && operandUse(operation).fallsBack) module.exportFunction(rareWay(number), index);
  });
  module.exportFunction('string', string);
  module.exportFunction('slowLoad', slow.slowLoad);
  module.exportFunction('slowLoadForWrite', slow.slowLoadForWrite);
  module.exportFunction('slowStore', slow.slowStore);
  module.exportFunction('probe', probe);
  module.exportFunction('lookup', lookup);
  module.exportFunction('settle', settle);
  const runIndex = module.addFunction(runType, run);
  module.exportFunction('run', runIndex);
  const transitions = addTransitions(module, walk);
  module.exportFunction('enter', addEnter(module, { ...transitions, run: runIndex, walk }));
  return module.encode();
}

/** Name that an operation is exported by when compiled code runs its rare ways out of line. */
function rareWay(opcode: number): string {
  return `operation${opcode}`;
}

/** Puts the operations that compiled code runs out of line into their places in the table of functions. @param exports - of the interpreter */
export function placeRareWays(exports: WebAssembly.Instance['exports'], nrOperations: number): void {
  const table = exports['compiled'] as WebAssembly.Table; // what `buildInterpreter` exports
  for (let opcode = 0; opcode < nrOperations; opcode++) {
    const rare = exports[rareWay(opcode)];
    if (rare !== undefined) table.set(MAX_COMPILED + opcode, rare);
  }
}

/** True for the last operation of a group. */
function endsGroup(number: number, nrOperations: number): boolean {
  return number % GROUP === GROUP - 1 || number === nrOperations - 1;
}

/** The function of one operation: (record, budget) -> 0, or the exit code to leave with. */
function buildOutOfLine(operation: Operation, callees: Callees): FunctionBuilder {
  const f = new FunctionBuilder(2);
  operation.emit?.(new InterpreterEmitter(f, declareLocals(f), callees, false));
  return f.i32(0);
}

function buildRun(
  operations: readonly Operation[],
  outOfLine: ReadonlyMap<Operation, number>,
  callees: Callees,
  counted: boolean,
): FunctionBuilder {
  const f = new FunctionBuilder(2);
  const locals = declareLocals(f);
  const e = new InterpreterEmitter(f, locals, callees, counted);
  f.i32(0).i32(USER_TLB).i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).op(W.select).set(locals.tlb);
  const next = f.loop();
  const dispatch = f.block();
  // Blocks open outermost first, so the last operation's block opens first and ends last.
  const labels: Label[] = [];
  const joins: Label[] = [];
  for (let number = operations.length - 1; number >= 0; number--) {
    if (endsGroup(number, operations.length)) joins[Math.floor(number / GROUP)] = f.block();
    labels[number] = f.block();
  }
  f.get(locals.record)
    .mem(M.i32Load16U, Rec.OPCODE)
    .branchTable(labels, labels[0] ?? next);
  operations.forEach((operation, number) => {
    f.end();
    const targets: Targets = { next: joins[Math.floor(number / GROUP)] ?? next, dispatch };
    const index = outOfLine.get(operation);
    if (index === undefined) emitOperation(e, operation, targets);
    else emitOutOfLine(e, index, targets);
    if (!endsGroup(number, operations.length)) return;
    f.end();
    f.branch(next);
  });
  f.end();
  emitDispatcher(e, locals, next);
  f.end();
  f.op(W.unreachable);
  return f;
}

function emitOutOfLine(e: InterpreterEmitter, index: number, targets: Targets): void {
  const f = e.f;
  const code = e.i32[0];
  f.get(e.locals.record).get(e.locals.budget).call(index).tee(code).if();
  f.get(code).return();
  f.end();
  emitNext(e, targets);
}

function emitOperation(e: InterpreterEmitter, operation: Operation, targets: Targets): void {
  if (operation.kind === 'control') {
    emitControl(e, operation.name, targets);
    return;
  }
  if (operation.memory !== undefined) emitMemoryAccess(e, operation.memory);
  operation.emit?.(e);
  emitNext(e, targets);
}

/** Notes in the head of the block that is about to run that an indirect jump has reached it. */
function emitNoteJump(e: InterpreterEmitter): void {
  const f = e.f;
  const { record, byJump } = e.locals;
  f.i32(0).set(byJump);
  for (const opcode of HEADS) {
    f.get(record).mem(M.i32Load16U, Rec.OPCODE).i32(opcode).op(W.i32Eq).if();
    f.get(record).i32(1).mem(M.i32Store16, Rec.A);
    f.end();
  }
}

/** Finds the block for `rip`, or leaves with DISPATCH. */
function emitDispatcher(e: InterpreterEmitter, locals: Locals, next: Label): void {
  const f = e.f;
  const { rip, budget, charge, entry, offset, record, linkFrom } = locals;
  const machine = e.i32[0];
  const slot = e.i32[1];
  e.count(Count.INTERPRETER_LOOKUPS);
  f.get(budget).get(charge).op(W.i32Sub).set(budget);
  pushTlbEntry(f, rip);
  f.get(locals.tlb).op(W.i32Add).set(entry);
  f.get(rip).get(entry).mem(M.i64Load, Tlb.EXECUTE).op(W.i64Sub).tee(offset).i64(4096).op(W.i64GeU).if();
  f.get(rip).i32(Access.EXECUTE).call(e.callees.walk).if();
  e.writeState(Cpu.RIP, M.i64Store, () => f.get(rip));
  e.markRecord();
  e.leave(ExitCode.NO_TARGET);
  f.end();
  f.get(rip).i64(4095).op(W.i64And).set(offset);
  f.end();
  f.get(offset)
    .op(W.i32WrapI64)
    .get(entry)
    .mem(M.i32Load, Tlb.EXECUTE + TLB_FRAME)
    .op(W.i32Add)
    .set(machine);
  pushBlockTableSlot(f, machine);
  f.tee(slot).mem(M.i32Load, BLOCK_TABLE).get(machine).op(W.i32Eq).if();
  f.get(budget).i32(0).op(W.i32GtS).if();
  e.writeState(Cpu.CODE_PAGE, M.i64Store, () => f.get(rip).get(offset).op(W.i64Sub));
  f.get(slot)
    .mem(M.i32Load, BLOCK_TABLE + 4)
    .set(record);
  f.get(linkFrom).if();
  f.get(linkFrom).get(record).mem(M.i32Store, Rec.LINK);
  f.end();
  f.get(locals.byJump).if();
  emitNoteJump(e);
  f.end();
  f.branch(next);
  f.end();
  e.writeState(Cpu.RIP, M.i64Store, () => f.get(rip));
  e.leave(ExitCode.BUDGET);
  f.end();
  e.writeState(Cpu.RIP, M.i64Store, () => f.get(rip));
  e.leave(ExitCode.DISPATCH);
}
