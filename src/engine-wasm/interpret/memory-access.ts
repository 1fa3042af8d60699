// Emission of guest memory operations: the address, the inline TLB lookup, and the way out to the slow
// path. One unsigned compare of the distance to the entry's page covers a wrong page, a crossing of
// the page end and a non-canonical address.

import { Gpr } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import { ExitCode } from '../ir/exit-code.ts';
import type { MemoryAccess, OpEmitter } from '../ir/operation.ts';
import type { Field } from '../ir/record.ts';
import { gprSlot } from '../ir/slots.ts';
import { Tlb, TLB_ENTRIES, TLB_ENTRY_SIZE, Word, TLB_FRAME } from '../runtime/layout.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType, type ValueTypeCode, W } from '../wasm/instructions.ts';
import type { Callees, Locals } from './locals.ts';

const MACHINE = 1;
const RSP = gprSlot(Gpr.RSP);
const ENTRY_SHIFT = 8; // page number * TLB_ENTRY_SIZE: >> 12 << 4
const ENTRY_MASK = (TLB_ENTRIES - 1) * TLB_ENTRY_SIZE;
const NOTHING = (): void => {};

/** Functions that memory accesses fall back on. */
export type AccessCallees = Pick<Callees, 'slowLoad' | 'slowLoadForWrite' | 'slowStore'>;

/** Locals of a memory access. `tlb`: the displacement of the TLBs, when it is not known before the code runs. */
export interface AccessLocals extends Pick<Locals, 'address' | 'entry' | 'offset' | 'writeBack'> {
  readonly tlb: number | undefined;
}

/** What the emission of a memory access needs beside the operands. The interpreter and the compiler each have one. */
export interface AccessEmitter extends OpEmitter {
  readonly locals: AccessLocals;
  /** Displacement of the TLBs of the current mode, when it is known while code is emitted. */
  readonly tlbDisplacement: number;
  readonly callees: AccessCallees;
  /** Pushes a field's own number as i64. */
  number64(field: Field): void;
  /** Notes the current record for the runtime. */
  markRecord(): void;
  /** Leaves the code with a constant exit code. */
  leave(code: number): void;
  /** Leaves the code with the exit code that `code` pushes. */
  leaveWith(code: () => void): void;
  /** Called behind a slow store, which may have dropped the running code. @param finish - emits the rest of the record */
  afterSlowStore(finish: () => void): void;
}

/** Emits one memory operation. */
export function emitMemoryAccess(e: AccessEmitter, access: MemoryAccess): void {
  switch (access.action) {
    case 'address':
      return emitAddressOnly(e, access);
    case 'load':
    case 'loadForWrite':
      return emitLoad(e, access);
    case 'store':
      pushAddress(e, access);
      return emitStore(e, access, () => e.read('a', access.slotCode));
    case 'storeBack':
      return emitStoreBack(e, access);
    case 'push':
      return emitPush(e, () => e.read('a', access.slotCode));
    case 'pop':
      return emitPop(e);
  }
}

/**
 * Pushes an 8-byte value on the guest stack: faults leave RSP alone.
 * @param leave - how to leave the record when the store has dropped the running code; without it, for the next record
 */
export function emitPush(e: AccessEmitter, value: () => void, leave?: () => void): void {
  const moveStack = (): void => e.writeState(RSP, M.i64Store, () => e.f.get(e.locals.address));
  e.readState(RSP, M.i64Load);
  e.f.i64(8).op(W.i64Sub);
  emitStore(
    e,
    { action: 'store', bytes: 8, indexed: false, memoryCode: M.i64Store, slotCode: M.i64Load, aligned: false },
    value,
    () => {
      moveStack();
      leave?.();
    },
  );
  moveStack();
}

/** Leaves the 8 bytes at the top of the guest stack in the first i64 scratch local; RSP stays. */
export function emitStackLoad(e: AccessEmitter): void {
  e.readState(RSP, M.i64Load);
  pushLoaded(e, { bytes: 8, memoryCode: M.i64Load, action: 'load' });
  e.f.set(e.i64[0]);
}

function emitPop(e: AccessEmitter): void {
  emitStackLoad(e);
  e.writeState(RSP, M.i64Store, () => e.f.get(e.locals.address).i64(8).op(W.i64Add));
  e.write('a', M.i64Store, () => e.f.get(e.i64[0]));
}

/** Pushes slot b (+ slot c << d) + imm. */
function pushAddress(e: AccessEmitter, access: MemoryAccess): void {
  const f = e.f;
  e.read('b', M.i64Load);
  if (access.indexed) {
    e.read('c', M.i64Load);
    e.number64('d');
    f.op(W.i64Shl).op(W.i64Add);
  }
  e.imm64();
  f.op(W.i64Add);
  if (access.aligned) {
    f.tee(e.locals.address)
      .i64(access.bytes - 1)
      .op(W.i64And)
      .op(W.i64Eqz)
      .op(W.i32Eqz);
    f.unlikely().if();
    e.raise(Vector.GP);
    f.end();
    f.get(e.locals.address);
  }
}

function emitAddressOnly(e: AccessEmitter, access: MemoryAccess): void {
  e.write('a', access.slotCode, () => {
    pushAddress(e, access);
    if (access.bytes === 4) e.f.i64(0xffffffffn).op(W.i64And);
  });
}

/** Pushes the offset of the entry in a TLB that the address in a local belongs to. */
export function pushTlbEntry(f: FunctionBuilder, address: number): void {
  f.get(address).op(W.i32WrapI64).i32(ENTRY_SHIFT).op(W.i32ShrU).i32(ENTRY_MASK).op(W.i32And);
}

/** Takes an i64 virtual address from the stack, keeps it in `address` and leaves the TLB lookup's verdict: i32 1 on a miss. */
function pushTlbMiss(e: AccessEmitter, bytes: number, tlb: number): void {
  const { address, entry, offset } = e.locals;
  const f = e.f;
  f.set(address);
  pushTlbEntry(f, address);
  if (e.locals.tlb !== undefined) f.get(e.locals.tlb).op(W.i32Add);
  f.set(entry);
  f.get(address)
    .get(entry)
    .mem(M.i64Load, tlb + e.tlbDisplacement)
    .op(W.i64Sub)
    .tee(offset)
    .i64(4097 - bytes)
    .op(W.i64GeU);
}

/** Pushes the machine address of a TLB hit. */
function pushHit(e: AccessEmitter, tlb: number): void {
  e.f
    .get(e.locals.offset)
    .op(W.i32WrapI64)
    .get(e.locals.entry)
    .mem(M.i32Load, tlb + e.tlbDisplacement + TLB_FRAME)
    .op(W.i32Add);
}

/** Notes the access for the slow path. */
function noteSlow(e: AccessEmitter): void {
  e.markRecord();
  e.writeState(Word.SLOW_ADDRESS, M.i64Store, () => e.f.get(e.locals.address));
}

/** Takes an i64 virtual address from the stack and pushes what is there; leaves the code on a fault. */
function pushLoaded(e: AccessEmitter, access: Pick<MemoryAccess, 'bytes' | 'memoryCode' | 'action'>): void {
  const f = e.f;
  const machine = e.i32[0];
  const forWrite = access.action === 'loadForWrite';
  const tlb = forWrite ? Tlb.WRITE : Tlb.READ;
  pushTlbMiss(e, access.bytes, tlb);
  // Each way has a load of its own: a load behind the two would extend an address that is extended already.
  f.unlikely().if(resultOf(access.memoryCode));
  noteSlow(e);
  f.i32(access.bytes).call(forWrite ? e.callees.slowLoadForWrite : e.callees.slowLoad);
  f.tee(machine).i32(-1).op(W.i32Eq).unlikely().if();
  e.leave(ExitCode.PAGE_FAULT);
  f.end();
  if (forWrite) {
    // the slow path leaves -1 there when the store must go through it too
    e.readState(Word.WRITE_BACK, M.i32Load);
    f.set(e.locals.writeBack);
  }
  f.get(machine).mem(access.memoryCode, 0, MACHINE);
  f.else();
  pushHit(e, tlb);
  if (forWrite) f.tee(e.locals.writeBack);
  f.mem(access.memoryCode, 0, MACHINE);
  f.end();
}

/** Type of what a load of `M` pushes. */
function resultOf(load: number): ValueTypeCode {
  if (load === M.v128Load || load === M.v128Load32Zero || load === M.v128Load64Zero) return ValueType.v128;
  return load === M.i32Load8S || load === M.i32Load16S ? ValueType.i32 : ValueType.i64;
}

function emitLoad(e: AccessEmitter, access: MemoryAccess): void {
  e.write('a', access.slotCode, () => {
    pushAddress(e, access);
    pushLoaded(e, access);
    if (resultOf(access.memoryCode) === ValueType.i32) e.f.op(W.i64ExtendI32U);
  });
}

/** Takes an i64 virtual address from the stack. */
function emitStore(e: AccessEmitter, access: MemoryAccess, value: () => void, finish = NOTHING): void {
  const f = e.f;
  pushTlbMiss(e, access.bytes, Tlb.WRITE);
  f.unlikely().if();
  noteSlow(e);
  emitSlowStore(e, access, value, finish);
  f.else();
  pushHit(e, Tlb.WRITE);
  value();
  f.mem(access.memoryCode, 0, MACHINE);
  f.end();
}

function emitStoreBack(e: AccessEmitter, access: MemoryAccess): void {
  const f = e.f;
  const value = (): void => e.read('a', access.slotCode);
  f.get(e.locals.writeBack).i32(-1).op(W.i32Eq);
  f.unlikely().if();
  e.markRecord();
  emitSlowStore(e, access, value, NOTHING);
  f.else();
  f.get(e.locals.writeBack);
  value();
  f.mem(access.memoryCode, 0, MACHINE);
  f.end();
}

function emitSlowStore(e: AccessEmitter, access: MemoryAccess, value: () => void, finish: () => void): void {
  const f = e.f;
  const code = e.i32[0];
  e.writeState(Word.SLOW_VALUE, access.bytes === 16 ? M.v128Store : M.i64Store, value);
  f.i32(access.bytes).call(e.callees.slowStore).tee(code);
  f.if();
  e.leaveWith(() => f.get(code));
  f.end();
  e.afterSlowStore(finish);
}
