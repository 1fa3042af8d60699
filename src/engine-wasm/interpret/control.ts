// Emission of control records: jumps that follow LINK, jumps through the dispatcher, exits.

import { bug } from '../../base/index.ts';
import { Cpu, Gpr } from '../../engine/index.ts';
import { opcodeOf, OPERATIONS } from '../ir/operations.ts';
import { COMPARE_AND_JUMPS, pushFusedCondition } from '../ir/operations/compare-and-jump.ts';
import { CONDITIONS, pushCondition } from '../ir/operations/condition.ts';
import { CompiledExit, ExitCode } from '../ir/exit-code.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import { gprSlot } from '../ir/slots.ts';
import { Word } from '../runtime/layout.ts';
import type { Label } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';
import { Count } from './count.ts';
import type { InterpreterEmitter } from './emitter.ts';
import { emitPush, emitStackLoad } from './memory-access.ts';

const RSP = gprSlot(Gpr.RSP);

/** Instructions that a runtime helper counts for besides its own: a guest cannot stretch its time with slow ones. */
export const HELPER_COST = 32;

/** Where control goes from a record. */
export interface Targets {
  /** Runs the record in the `record` local. */
  readonly next: Label;
  /** Looks up the address in the `rip` local. */
  readonly dispatch: Label;
}

/** Emits one control operation; the code never falls out of it. */
export function emitControl(e: InterpreterEmitter, name: string, targets: Targets): void {
  const f = e.f;
  const pair = COMPARE_AND_JUMPS.find((fused) => fused.name === name);
  if (pair !== undefined) {
    OPERATIONS[opcodeOf(pair.compare)]?.emit?.(e);
    f.get(e.locals.record).i32(RECORD_SIZE).op(W.i32Add).set(e.locals.record); // the jump's record
    pushFusedCondition(e, pair);
    emitConditionalJump(e, targets);
    return;
  }
  const condition = CONDITIONS.findIndex((suffix) => name === `j${suffix}`);
  if (condition >= 0) {
    pushCondition(e, condition);
    emitConditionalJump(e, targets);
    return;
  }
  switch (name) {
    case 'jmp':
      emitDirectJump(e, targets);
      break;
    case 'jz64':
    case 'jnz64':
    case 'jz32':
    case 'jnz32':
      emitZeroJump(e, name, targets);
      break;
    case 'jmpr':
      e.read('c', M.i64Load);
      f.set(e.locals.rip).i32(1).set(e.locals.byJump);
      emitDispatch(e, targets);
      break;
    case 'call':
      emitPush(e, () => pushCodeAddress(e, () => e.number('a')));
      emitDirectJump(e, targets);
      break;
    case 'callr':
      // the target is read first: it may be in rsp
      e.read('c', M.i64Load);
      f.set(e.locals.rip);
      emitPush(e, () => pushCodeAddress(e, () => e.number('a')));
      emitDispatch(e, targets);
      break;
    case 'ret':
      emitReturn(e);
      emitDispatch(e, targets);
      break;
    case 'exit':
      e.markRecord();
      charge(e);
      e.leaveWith(() => e.number('a'));
      break;
    case 'string':
      emitRuntimeCall(e, e.callees.string);
      emitNext(e, targets);
      break;
    case 'helper':
      emitHelper(e);
      emitNext(e, targets);
      break;
    case 'nextpage':
      emitNextPageCheck(e);
      emitNext(e, targets);
      break;
    case 'rdtsc':
      f.call(e.callees.readTsc);
      emitNext(e, targets);
      break;
    case 'head':
      emitHead(e, targets);
      break;
    case 'compiled':
      emitCompiled(e, targets);
      break;
    default:
      bug(`the interpreter has no control operation ${name}`);
  }
}

/** Goes on with the following record. */
export function emitNext(e: InterpreterEmitter, targets: Targets): void {
  e.f.get(e.locals.record).i32(RECORD_SIZE).op(W.i32Add).set(e.locals.record).branch(targets.next);
}

/** Pops the return address into the `rip` local. */
function emitReturn(e: InterpreterEmitter): void {
  const f = e.f;
  emitStackLoad(e);
  e.writeState(RSP, M.i64Store, () => {
    f.get(e.locals.address).i64(8).op(W.i64Add);
    e.imm64();
    f.op(W.i64Add);
  });
  f.get(e.i64[0]).set(e.locals.rip);
}

/** Calls a runtime helper; leaves when it has raised an exception. */
function emitHelper(e: InterpreterEmitter): void {
  const f = e.f;
  e.markRecord();
  f.get(e.locals.budget).i32(HELPER_COST).op(W.i32Sub).set(e.locals.budget);
  f.get(e.locals.record);
  e.imm32();
  f.call(e.callees.helper);
  f.if();
  e.leave(ExitCode.EXCEPTION);
  f.end();
}

/** Leaves when the following page is in another frame than when the block was made. */
function emitNextPageCheck(e: InterpreterEmitter): void {
  const f = e.f;
  e.markRecord();
  e.imm32();
  f.call(e.callees.checkNextPage).op(W.i32Eqz);
  f.if();
  e.writeState(Cpu.RIP, M.i64Store, () => pushCodeAddress(e, () => pushOwnOffset(e)));
  e.leave(ExitCode.DISPATCH);
  f.end();
}

/** Counts an entry of the block; leaves when it has become hot. */
function emitHead(e: InterpreterEmitter, targets: Targets): void {
  const f = e.f;
  const count = e.i32[0];
  const { record } = e.locals;
  f.get(record).get(record).mem(M.i32Load, Rec.IMM).i32(1).op(W.i32Sub).tee(count).mem(M.i32Store, Rec.IMM);
  f.get(count).op(W.i32Eqz).if();
  e.markRecord();
  e.writeState(Cpu.RIP, M.i64Store, () => pushCodeAddress(e, () => pushOwnOffset(e)));
  e.leave(ExitCode.HOT);
  f.end();
  emitNext(e, targets);
}

/** Calls the compiled function of the block and goes on where it says. */
function emitCompiled(e: InterpreterEmitter, targets: Targets): void {
  const f = e.f;
  const code = e.i32[0];
  const { record, budget, rip, charge, linkFrom } = e.locals;
  e.count(Count.COMPILED_CALLS);
  e.writeState(Word.DROPPED, M.i32Store, () => f.i32(0));
  f.get(budget);
  e.readState(Cpu.CODE_PAGE, M.i64Load);
  f.i32(0).get(record).mem(M.i32Load, Rec.IMM).callIndirect(e.callees.compiledType).set(code);
  e.countCode(code, e.i32[1]);
  e.readState(Word.BUDGET, M.i32Load);
  f.set(budget);
  f.get(code).i32(CompiledExit.LOOK_UP).op(W.i32Eq).get(code).i32(CompiledExit.UNWIND).op(W.i32Eq).op(W.i32Or).if();
  e.readState(Cpu.RIP, M.i64Load);
  f.set(rip);
  e.readState(Word.RECORD, M.i32Load);
  f.set(record).i32(0).set(charge).i32(0).set(linkFrom).branch(targets.dispatch);
  f.end();
  f.get(code).i32(CompiledExit.RESUME_RECORD).op(W.i32Eq).if();
  e.readState(Word.RESUME, M.i32Load);
  f.set(record).branch(targets.next);
  f.end();
  f.get(code).i32(CompiledExit.REFUSED).op(W.i32Eq).if();
  emitNext(e, targets);
  f.end();
  f.get(code).return();
}

/** Pushes CODE_PAGE + the i32 offset that `offset` pushes. */
function pushCodeAddress(e: InterpreterEmitter, offset: () => void): void {
  e.readState(Cpu.CODE_PAGE, M.i64Load);
  offset();
  e.f.op(W.i64ExtendI32U).op(W.i64Add);
}

function pushOwnOffset(e: InterpreterEmitter): void {
  e.f.get(e.locals.record).mem(M.i32Load16U, Rec.RIP);
}

function charge(e: InterpreterEmitter): void {
  const { budget } = e.locals;
  e.f.get(budget);
  e.number('b');
  e.f.op(W.i32Sub).set(budget);
}

function emitZeroJump(e: InterpreterEmitter, name: 'jz64' | 'jnz64' | 'jz32' | 'jnz32', targets: Targets): void {
  const is64 = name.endsWith('64');
  e.read('a', is64 ? M.i64Load : M.i32Load);
  e.f.op(is64 ? W.i64Eqz : W.i32Eqz);
  if (name.startsWith('jn')) e.f.op(W.i32Eqz);
  emitConditionalJump(e, targets);
}

function emitConditionalJump(e: InterpreterEmitter, targets: Targets): void {
  e.f.if();
  emitDirectJump(e, targets);
  e.f.end();
  emitNext(e, targets);
}

/** Follows LINK when it is set; else goes through the dispatcher, which sets it for targets on the same page. */
function emitDirectJump(e: InterpreterEmitter, targets: Targets): void {
  const f = e.f;
  const { record, budget, rip, linkFrom } = e.locals;
  const link = e.i32[0];
  f.get(record).mem(M.i32Load, Rec.LINK).tee(link);
  f.if();
  charge(e);
  f.get(budget).i32(0).op(W.i32GtS);
  f.if();
  f.get(link).set(record).branch(targets.next);
  f.end();
  e.writeState(Cpu.RIP, M.i64Store, () => pushTarget(e));
  e.leave(ExitCode.BUDGET);
  f.end();
  pushTarget(e);
  f.set(rip);
  f.i32(0).get(record);
  e.imm32();
  f.i32(4096).op(W.i32GeU).op(W.select).set(linkFrom);
  e.number('b');
  f.set(e.locals.charge).branch(targets.dispatch);
}

function pushTarget(e: InterpreterEmitter): void {
  e.readState(Cpu.CODE_PAGE, M.i64Load);
  e.imm64();
  e.f.op(W.i64Add);
}

function emitDispatch(e: InterpreterEmitter, targets: Targets): void {
  e.f.i32(0).set(e.locals.linkFrom);
  e.number('b');
  e.f.set(e.locals.charge).branch(targets.dispatch);
}

/** Calls a runtime function that gets the record and charges for its work; leaves with the exit code it returns, if any. */
function emitRuntimeCall(e: InterpreterEmitter, callee: number): void {
  const f = e.f;
  const code = e.i32[0];
  e.markRecord();
  e.writeState(Word.BUDGET, M.i32Store, () => f.get(e.locals.budget));
  f.get(e.locals.record).call(callee).set(code);
  e.readState(Word.BUDGET, M.i32Load);
  f.set(e.locals.budget);
  f.get(code).if();
  e.leaveWith(() => f.get(code));
  f.end();
}
