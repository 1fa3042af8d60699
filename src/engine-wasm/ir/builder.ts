// Writes the records of one block. Lowering functions call it; it knows the current instruction, so
// that every record carries the instruction's offset, and it counts instructions for control records.

import { bug } from '../../base/index.ts';
import { Cpu } from '../../engine/index.ts';
import type { Instruction } from '../decode/instruction.ts';
import { fusedOpcode, opcodeOf, OPERATIONS } from './operations.ts';
import { Rec, RECORD_SIZE } from './record.ts';
import { gprSlot, temp } from './slots.ts';

const LEA64 = opcodeOf('lea64');
const LEA32 = opcodeOf('lea32');
const PUSH64 = opcodeOf('push64');
const JMP = opcodeOf('jmp');
const JMPR = opcodeOf('jmpr');
const CALL = opcodeOf('call');
const CALLR = opcodeOf('callr');
const RET = opcodeOf('ret');

/** 1 for operations that can store to guest memory. */
const MAY_STORE = Uint8Array.from(OPERATIONS, ({ name, memory }) =>
  name === 'string' || memory?.action === 'store' || memory?.action === 'storeBack' || memory?.action === 'push'
    ? 1
    : 0,
);

/** The temporary that a segment-relative or 32-bit address is computed in; lowering must not use it otherwise. */
const ADDRESS_TEMP = temp(15);

/** Builds one block of records. */
export class IrBuilder {
  /** The records. */
  readonly bytes: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #capacity: number;
  #nrRecords = 0;
  #nrInstructions = 0;
  #rip = 0;
  #ended = false;
  /** The current instruction and the one before it can store to guest memory. */
  #stores = false;
  #previousStores = false;

  /** @param capacity - most records of a block */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.bytes = new Uint8Array(capacity * RECORD_SIZE);
    this.#u16 = new Uint16Array(this.bytes.buffer);
    this.#i32 = new Int32Array(this.bytes.buffer);
  }

  get nrRecords(): number {
    return this.#nrRecords;
  }

  /** Instructions begun in this block. */
  get nrInstructions(): number {
    return this.#nrInstructions;
  }

  /** True when control never falls out of the last record. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Records that can still be added. */
  get room(): number {
    return this.#capacity - this.#nrRecords;
  }

  /** True when the instruction before the current one can store to guest memory, and so to the code behind it. */
  get previousMayStore(): boolean {
    return this.#previousStores;
  }

  /** Starts a new block. */
  reset(): void {
    this.#nrRecords = 0;
    this.#nrInstructions = 0;
    this.#ended = false;
    this.#stores = false;
  }

  /** Starts the records of an instruction. */
  beginInstruction(i: Instruction): void {
    this.#rip = i.offset;
    this.#previousStores = this.#stores;
    this.#stores = false;
    this.#nrInstructions++;
  }

  /** Appends a record; the meaning of the fields is the operation's. */
  op(opcode: number, a = 0, b = 0, c = 0, d = 0, imm = 0): void {
    const at = this.#nrRecords++;
    if (at >= this.#capacity) bug('an IR block overflows');
    if (MAY_STORE[opcode] !== 0) this.#stores = true;
    const h = at * 8;
    this.#u16[h + Rec.OPCODE / 2] = opcode;
    this.#u16[h + Rec.RIP / 2] = this.#rip;
    this.#u16[h + Rec.A / 2] = a;
    this.#u16[h + Rec.B / 2] = b;
    this.#u16[h + Rec.C / 2] = c;
    this.#u16[h + Rec.D / 2] = d;
    this.#i32[at * 4 + Rec.IMM / 4] = imm;
  }

  /**
   * Appends a memory operation on the instruction's ModRM operand.
   * @param opcode - the form without index; the indexed form has the next number
   * @param data - slot of the datum
   * @param extra - bytes added to the address
   */
  mem(opcode: number, data: number, i: Instruction, extra = 0): void {
    if (i.ripRelative) {
      const target = i.next + i.displacement + extra;
      if (i.segment === 0 && i.addressSize === 64) this.op(opcode, data, Cpu.CODE_PAGE, 0, 0, target);
      else this.#memGeneral(opcode, data, i, Cpu.CODE_PAGE, target);
      return;
    }
    const displacement = i.displacement + extra;
    const base = i.base < 0 ? Cpu.ZERO : gprSlot(i.base);
    if (i.addressSize === 32) this.#memGeneral(opcode, data, i, base, displacement);
    else if (i.segment === 0) {
      if (i.index < 0) this.op(opcode, data, base, 0, 0, displacement);
      else this.op(opcode + 1, data, base, gprSlot(i.index), i.scale, displacement);
    } else {
      const segmentBase = i.segment === 4 ? Cpu.FS_BASE : Cpu.GS_BASE;
      if (i.index < 0) this.op(opcode + 1, data, segmentBase, base, 0, displacement);
      else if (i.base < 0) this.op(opcode + 1, data, segmentBase, gprSlot(i.index), i.scale, displacement);
      else this.#memGeneral(opcode, data, i, base, displacement);
    }
  }

  /** Appends `a = address of the ModRM operand`, without a segment base, truncated to the operand size (lea). */
  effectiveAddress(opcode: number, a: number, i: Instruction): void {
    const base = i.ripRelative ? Cpu.CODE_PAGE : i.base < 0 ? Cpu.ZERO : gprSlot(i.base);
    const displacement = i.ripRelative ? i.next + i.displacement : i.displacement;
    const lea = i.addressSize === 32 && opcode === LEA64 ? LEA32 : opcode;
    if (i.index < 0) this.op(lea, a, base, 0, 0, displacement);
    else this.op(lea + 1, a, base, gprSlot(i.index), i.scale, displacement);
  }

  /** Appends a push of an 8-byte slot. */
  push(slot: number): void {
    this.op(PUSH64, slot);
  }

  /** Ends the block with a jump to an offset relative to the code page. */
  jump(target: number): void {
    this.op(JMP, 0, this.#nrInstructions, 0, 0, target);
    this.#ended = true;
  }

  /**
   * Appends a conditional jump; the block goes on with the not-taken path. A comparison right before it
   * becomes one operation with it. @param opcode - one of the `j..` operations
   */
  jumpIf(opcode: number, target: number, slot = 0): void {
    const last = (this.#nrRecords - 1) * 8 + Rec.OPCODE / 2;
    const fused = this.#nrRecords === 0 ? undefined : fusedOpcode(this.#u16[last] ?? 0, opcode);
    if (fused !== undefined) this.#u16[last] = fused;
    this.op(opcode, slot, this.#nrInstructions, 0, 0, target);
  }

  /** Ends the block with a jump to the address in a slot. */
  jumpTo(slot: number): void {
    this.op(JMPR, 0, this.#nrInstructions, slot);
    this.#ended = true;
  }

  /** Ends the block with a call to an offset relative to the code page. */
  call(target: number, i: Instruction): void {
    this.op(CALL, i.next, this.#nrInstructions, 0, 0, target);
    this.#ended = true;
  }

  /** Ends the block with a call to the address in a slot. */
  callTo(slot: number, i: Instruction): void {
    this.op(CALLR, i.next, this.#nrInstructions, slot);
    this.#ended = true;
  }

  /** Ends the block with a near return that releases `extra` more bytes. */
  ret(extra: number): void {
    this.op(RET, 0, this.#nrInstructions, 0, 0, extra);
    this.#ended = true;
  }

  /** Ends the block with a record that never falls through (an exit or an unconditional exception). */
  leave(opcode: number, a = 0, b = 0, c = 0, d = 0, imm = 0): void {
    this.op(opcode, a, b, c, d, imm);
    this.#ended = true;
  }

  /** Address in a temporary: 32-bit addresses, and segment base with both base and index. */
  #memGeneral(opcode: number, data: number, i: Instruction, base: number, displacement: number): void {
    const lea = i.addressSize === 32 ? LEA32 : LEA64;
    if (i.index < 0 || i.ripRelative) this.op(lea, ADDRESS_TEMP, base, 0, 0, displacement);
    else this.op(lea + 1, ADDRESS_TEMP, base, gprSlot(i.index), i.scale, displacement);
    if (i.segment === 0) this.op(opcode, data, ADDRESS_TEMP);
    else this.op(opcode + 1, data, i.segment === 4 ? Cpu.FS_BASE : Cpu.GS_BASE, ADDRESS_TEMP);
  }
}
