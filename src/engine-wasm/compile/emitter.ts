// The compiler's view of an operation's operands: slots and immediates are constants; general registers, SSE
// registers, temporaries and the flag words are local variables. They are loaded when the function is entered and
// written back in its one epilogue; other registers stay in the state block.

import { bug } from '../../base/index.ts';
import { Cpu } from '../../engine/index.ts';
import { HELPER_COST } from '../interpret/control.ts';
import type { AccessEmitter } from '../interpret/memory-access.ts';
import { CompiledExit, ExitCode } from '../ir/exit-code.ts';
import { PACKED_DOUBLE, PACKED_SINGLE, pushDenormal } from '../ir/operations/packed-precision.ts';
import { type Field, FIELD_OFFSET, Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { MAX_COMPILED, Word } from '../runtime/layout.ts';
import type { FunctionBuilder, Label } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { CompiledLocals, CompilerCallees, RegisterUse } from './compiled-function.ts';
import { FlagLocals } from './flag-locals.ts';
import { FLAG_USES, type FlagUse, PUTS_OFF_NOTHING } from './flag-use.ts';
import { GeneralRegisters } from './general-registers.ts';
import { type OrdinaryNumbers, promisedLanes } from './ordinary-numbers.ts';
import { QuickFloats } from './quick-floats.ts';
import { emitPrologueChecks } from './prologue.ts';
import { readLocal, writeLocal } from './register-part.ts';
import type { Region } from './region.ts';
import { pushExtended, VectorRegisters } from './vector-registers.ts';
import { implicitVectors, vectorOf } from './vector-use.ts';

type Scratch = Pick<AccessEmitter, 'i64' | 'i32'>;

/** Emits operands as locals and constants. */
export class CompilerEmitter implements AccessEmitter {
  readonly hasRareOutOfLine = true;
  readonly f: FunctionBuilder;
  readonly callees: CompilerCallees;
  readonly locals: CompiledLocals;
  readonly tlbDisplacement: number;
  i64: readonly [number, number, number, number, number, number];
  i32: readonly [number, number, number, number];
  readonly v128: readonly [number, number, number, number];
  readonly flags: FlagLocals;
  readonly #scratch: Scratch;
  /** Scratch locals of operations whose flags are put off: nothing else changes them until the next such operation. */
  readonly #lazyScratch: Scratch;
  #use: FlagUse = PUTS_OFF_NOTHING;
  /** What is known of numbers in vector registers, when the region computes with any. */
  ordinary: OrdinaryNumbers | undefined;
  /** The record that is being emitted. */
  record = 0;
  /** The block that ends where the epilogue begins, and the one before that where flags are computed that are `open`. */
  epilogue: Label = 0;
  openEpilogue: Label = 0;
  readonly #memory: EngineMemory;
  readonly #vectors: VectorRegisters;
  readonly #quickFloats: QuickFloats;
  /** Distance of the page that the current record is on. */
  page = 0;
  readonly #region: Region;
  readonly #general: GeneralRegisters;

  constructor(f: FunctionBuilder, callees: CompilerCallees, memory: EngineMemory, region: Region, use: RegisterUse) {
    const { i32, i64, v128 } = ValueType;
    this.f = f;
    this.#vectors = new VectorRegisters(f, use.vectors);
    this.#quickFloats = new QuickFloats(f, use.vectors.quickLanes);
    this.callees = callees;
    this.#memory = memory;
    this.#region = region;
    this.tlbDisplacement = region.tlbDisplacement;
    this.#general = new GeneralRegisters(f, use.gprs);
    this.flags = new FlagLocals(f, (emit) => this.#withLazyScratch(emit));
    this.locals = {
      budget: 0,
      codePage: 1,
      depth: 2,
      tlb: undefined,
      address: f.local(i64),
      entry: f.local(i32),
      offset: f.local(i64),
      writeBack: f.local(i32),
      rip: f.local(i64),
      key: f.local(i64),
      jumpRecord: f.local(i32),
      jumpPage: f.local(i64),
      code: f.local(i32),
    };
    const scratch = (): Scratch => ({
      i64: [f.local(i64), f.local(i64), f.local(i64), f.local(i64), f.local(i64), f.local(i64)],
      i32: [f.local(i32), f.local(i32), f.local(i32), f.local(i32)],
    });
    this.#scratch = scratch();
    this.#lazyScratch = scratch();
    this.i64 = this.#scratch.i64;
    this.i32 = this.#scratch.i32;
    this.v128 = [f.local(v128), f.local(v128), f.local(v128), f.local(v128)];
  }

  /** A field of the current record. */
  field(field: Field): number {
    return this.#memory.u16[(this.record + FIELD_OFFSET[field]) >> 1];
  }

  /** The immediate of the current record. */
  get immediate(): number {
    return this.#memory.i32[(this.record + Rec.IMM) >> 2];
  }

  get knownImmediate(): number {
    return this.immediate;
  }

  read(field: Field, load: number, displacement = 0): void {
    this.readState(this.field(field) + displacement, load);
  }

  write(field: Field, store: number, value: () => void, displacement = 0): void {
    this.writeState(this.field(field) + displacement, store, value);
  }

  number(field: Field): void {
    this.f.i32(this.field(field));
  }

  number64(field: Field): void {
    this.f.i64(this.field(field));
  }

  imm32(): void {
    this.f.i32(this.immediate);
  }

  imm64(): void {
    this.f.i64(this.immediate);
  }

  readState(offset: number, load: number): void {
    const f = this.f;
    if ((offset === Cpu.FLAG_AUX || offset === Cpu.FLAG_RESULT) && this.flags.pending !== undefined)
      bug('flags are read that have been put off');
    if (offset === Cpu.FLAG_AUX) {
      if (load !== M.i32Load) bug(`a read of the flags by ${load}`);
      f.get(this.flags.aux);
      return;
    }
    if (offset === Cpu.ZERO && load === M.i64Load) {
      f.i64(0);
      return;
    }
    if (offset === Cpu.CODE_PAGE && load === M.i64Load) {
      this.pushPlace(this.page);
      return;
    }
    if (this.#vectors.holds(offset)) {
      this.#vectors.read(offset, load);
      return;
    }
    const local = this.#localOf(offset);
    if (local < 0) f.i32(0).mem(load, offset);
    else if (load > 0xff) pushExtended(f, local, load);
    else readLocal(f, local, (offset & 7) * 8, load);
  }

  writeState(offset: number, store: number, value: () => void): void {
    const f = this.f;
    if (offset === Cpu.FLAG_AUX) {
      if (store !== M.i32Store) bug(`a write of the flags by ${store}`);
      value();
      f.set(this.flags.aux);
      this.flags.isWritten = true;
      return;
    }
    if (this.#vectors.holds(offset)) {
      this.#vectors.write(offset, store, value);
      return;
    }
    if (offset === Cpu.FLAG_RESULT) this.flags.isWritten = true;
    this.#general.noteWrite(offset);
    const local = this.#localOf(offset);
    if (local < 0) {
      f.i32(0);
      value();
      f.mem(store, offset);
      if (offset === Cpu.MXCSR) this.#quickFloats.mxcsrChanged(f);
      return;
    }
    value();
    writeLocal(f, local, (offset & 7) * 8, store);
  }

  /** Prepares for an operation. To be called before each is emitted. */
  begin(use: FlagUse): void {
    if (use.wantsFlags) this.flags.compute();
    this.#use = use;
    this.#useScratch(use.isLazy ? this.#lazyScratch : this.#scratch);
  }

  #useScratch(scratch: Scratch): void {
    this.i64 = scratch.i64;
    this.i32 = scratch.i32;
  }

  #withLazyScratch(emit: () => void): void {
    const { i64, i32 } = this;
    this.#useScratch(this.#lazyScratch);
    emit();
    this.#useScratch({ i64, i32 });
  }

  setFlags(result: () => void, aux: () => void): void {
    this.flags.set(this.#use, result, aux);
  }

  ordinaryBias(bits: 32 | 64): void {
    this.#quickFloats.pushBias(bits);
  }

  ordinaryEnd(bits: 32 | 64): void {
    this.#quickFloats.pushEnd(bits);
  }

  hasNoDenormals(field: Field, bits: 32 | 64, scalar: boolean): boolean {
    return this.ordinary?.isKnown(this.field(field), bits, scalar) ?? false;
  }

  /** Calls the interpreter's function of the operation, which sees and changes its operands, flags and MXCSR in the state block. */
  fallBack(): void {
    const { f, record } = this;
    const { budget, code } = this.locals;
    const { u16 } = this.#memory;
    const vectors = vectorOf(this.field('a')) | vectorOf(this.field('b'));
    this.#chargeHelper();
    this.markRecord();
    for (const field of ['a', 'b'] as const)
      this.#syncGeneral(field, (local, slot) => f.i32(0).get(local).mem(M.i64Store, slot));
    this.#vectors.aroundCall(vectors, () => {
      f.i32(record).get(budget);
      f.i32(MAX_COMPILED + u16[record >> 1])
        .callIndirect(this.callees.operationType)
        .set(code);
    });
    this.#syncGeneral('a', (local, slot) => f.i32(0).mem(M.i64Load, slot).set(local));
    this.#quickFloats.mxcsrChanged(f);
    f.get(code).if();
    this.leaveWith(() => f.get(code));
    f.end();
    if (FLAG_USES[u16[record >> 1]].wantsFlags) this.flags.load(f); // only now: a fault leaves the flags as they are
    this.#leaveWithDenormals(u16[record >> 1]);
  }

  /** Leaves when the result of the operation, which is complete, is denormal: it is not expected to be. */
  #leaveWithDenormals(opcode: number): void {
    const { f } = this;
    const lanes = promisedLanes(opcode);
    if (lanes === undefined) return;
    const [result] = this.v128;
    const wide = lanes.bits === 64;
    this.read('a', M.v128Load);
    f.set(result);
    pushDenormal(this, wide ? PACKED_DOUBLE : PACKED_SINGLE, result);
    f.op(wide ? W.i64x2Bitmask : W.i32x4Bitmask);
    if (lanes.scalar) f.i32(1).op(W.i32And);
    f.if();
    this.resumeBehind();
    f.end();
  }

  /** Does something with the local of a general register or temporary that is an operand. */
  #syncGeneral(field: Field, move: (local: number, slot: number) => void): void {
    const slot = this.field(field) & ~7;
    const local = this.#vectors.holds(slot) ? -1 : this.#localOf(slot);
    if (local >= 0) move(local, slot);
  }

  #chargeHelper(): void {
    const { budget } = this.locals;
    this.f.get(budget).i32(HELPER_COST).op(W.i32Sub).set(budget);
  }

  callHelper(index: number): void {
    this.#chargeHelper();
    const vectors = vectorOf(this.field('a')) | vectorOf(this.field('b')) | implicitVectors(index);
    this.#vectors.aroundCall(vectors, () =>
      this.callRuntime(() => this.f.i32(this.record).i32(index).call(this.callees.helper)),
    );
    this.#quickFloats.helperCalled(this.f, index);
    this.f.if();
    this.leave(ExitCode.EXCEPTION);
    this.f.end();
  }

  raise(vector: number): void {
    this.f.i32(0).i32(vector).mem(M.i32Store, Word.DETAIL);
    this.markRecord();
    this.leave(ExitCode.EXCEPTION);
  }

  /** Pushes the address at a distance from the beginning of the entry's page. */
  pushPlace(place: number): void {
    this.f.get(this.locals.codePage);
    if (place !== 0) this.f.i64(place).op(W.i64Add);
  }

  markRecord(): void {
    this.f.i32(0).i32(this.record).mem(M.i32Store, Word.RECORD);
    this.f.i32(0);
    this.pushPlace(this.page);
    this.f.mem(M.i64Store, Cpu.CODE_PAGE);
  }

  leave(code: number): void {
    this.leaveWith(() => this.f.i32(code));
  }

  leaveWith(code: () => void): void {
    code();
    this.f.set(this.locals.code);
    if (this.flags.pending === 'open') {
      this.f.branch(this.openEpilogue);
      return;
    }
    // Computed here, though it is long: at the epilogue, operands of all kinds would have to be kept for it.
    this.flags.emit();
    this.f.branch(this.epilogue);
  }

  /** Keeps for the region's switch which record jumps there. */
  noteJump(): void {
    const { jumpRecord, jumpPage } = this.locals;
    this.f.i32(this.record).set(jumpRecord);
    this.pushPlace(this.page);
    this.f.set(jumpPage);
  }

  /**
   * Leaves for the address in the `rip` local.
   * @param code - a `CompiledExit` or `ExitCode`
   * @param from - the current record leaves, or the one that `noteJump` has kept
   */
  leaveTo(code: number, from: 'record' | 'jump' = 'record'): void {
    const { rip, jumpRecord, jumpPage } = this.locals;
    if (from === 'record') this.markRecord();
    else {
      this.f.i32(0).get(jumpRecord).mem(M.i32Store, Word.RECORD);
      this.f.i32(0).get(jumpPage).mem(M.i64Store, Cpu.CODE_PAGE);
    }
    this.f.i32(0).get(rip).mem(M.i64Store, Cpu.RIP);
    this.leave(code);
  }

  afterSlowStore(finish: () => void): void {
    this.ifDropped(() => {
      finish();
      this.resumeBehind();
    });
  }

  /** Emits code for the case that decoded code has been dropped. */
  ifDropped(then: () => void): void {
    this.f.i32(0).mem(M.i32Load, Word.DROPPED).unlikely().if();
    then();
    this.f.end();
  }

  /** Lets the interpreter go on with the record behind the current one. */
  resumeBehind(): void {
    this.#resumeAt(this.record + RECORD_SIZE);
  }

  #resumeAt(record: number): void {
    this.spillTemps();
    this.f.i32(0).i32(record).mem(M.i32Store, Word.RESUME);
    this.leave(CompiledExit.RESUME_RECORD);
  }

  /** Calls a function that sees and changes the registers other than SSE registers in the state block; its results stay on the stack. */
  callRuntime(call: () => void): void {
    const f = this.f;
    if (this.flags.pending !== undefined) bug('the runtime is called with flags put off');
    this.markRecord();
    f.i32(0).get(this.locals.budget).mem(M.i32Store, Word.BUDGET);
    for (const field of ['a', 'b'] as const) this.#general.noteTemp(this.field(field));
    this.flags.isWritten = true;
    this.#storeGeneral();
    this.#general.spillTemps();
    call();
    this.#loadGeneral(this.f);
    this.#general.loadTemps();
  }

  /** Writes the temporaries that the interpreter may want to see to the state block. */
  spillTemps(): void {
    this.#general.spillTemps();
    this.#vectors.spillTemps();
  }

  /** Writes what the function may have written, flags too, to the state block. */
  syncRegisters(): void {
    this.flags.isWritten = true;
    this.storeRegisters();
  }

  /** Writes what the function has written to the state block. */
  storeRegisters(): void {
    this.#storeGeneral();
    this.#vectors.emitEpilogue();
  }

  /** Loads what the function uses from the state block. */
  loadRegisters(into: FunctionBuilder): void {
    this.#loadGeneral(into);
    this.#vectors.emitPrologue(into);
    this.#quickFloats.mxcsrChanged(into);
  }

  /** Where the key for the links of the region's mode is. */
  get linkKey(): number {
    return this.#region.tlbDisplacement === 0 ? Word.LINK_KEY : Word.USER_LINK_KEY;
  }

  /** Emits the epilogue: writes back what the function has written and returns the code. */
  emitEpilogue(): void {
    this.flags.emitKept();
    this.f.end();
    this.storeRegisters();
    this.f.i32(0).get(this.locals.budget).mem(M.i32Store, Word.BUDGET);
    this.f.get(this.locals.code).return();
  }

  /** Emits the prologue; to be called when everything else has been emitted, with a builder for the beginning. */
  emitPrologue(into: FunctionBuilder): void {
    emitPrologueChecks(into, this.#region, this.locals, this.callees.probe);
    this.#quickFloats.emitPrologue(into);
    this.loadRegisters(into);
  }

  #loadGeneral(into: FunctionBuilder): void {
    this.#general.load(into);
    this.flags.load(into);
  }

  #storeGeneral(): void {
    this.#general.store();
    this.flags.store();
  }

  /** The local that holds a field of the state block other than a vector register, or -1. */
  #localOf(offset: number): number {
    return offset === Cpu.FLAG_RESULT ? this.flags.result : this.#general.localOf(offset);
  }
}
