// Encodes random instructions of a row of the instruction table: any form, prefixes and operands, with memory
// operands that are mostly where data is. Registers that programs rely on are mostly left alone.

import { createInstruction, decode, Decoded, MAX_INSTRUCTION_LENGTH } from '../../../src/engine-wasm/decode/decode.ts';
import type { Instruction } from '../../../src/engine-wasm/decode/instruction.ts';
import { Immediate, type Row } from '../../../src/engine-wasm/decode/row.ts';
import { bytesOf } from '../../cpu/addressing.ts';
import type { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { integer } from '../../cpu/operands.ts';
import { chooseShape, operandBytes, rmOperand, type Shape } from '../../cpu/shape.ts';
import { ANCHOR, FS_BASE, GS_BASE, INDEX } from './layout.ts';
import type { OperandPlaces } from './operand-places.ts';
import type { Item } from './program.ts';

const RSP = 4;
const ANCHOR_REGISTER = 15;
const INDEX_REGISTER = 14;
const RELIED_ON: readonly number[] = [RSP, INDEX_REGISTER, ANCHOR_REGISTER];
const ATTEMPTS = 40;
const MAP_BYTES: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

/** ModRM without its reg field, and what follows. */
interface MemoryOperand {
  readonly modrm: number;
  readonly tail: readonly number[];
  readonly rex: number;
  /** The last 4 bytes are relative to the instruction's end, and this is what they point at. */
  readonly address?: number;
}

/** Makes instructions. */
export class RowEncoder {
  readonly #random: RandomSource;
  readonly #places: OperandPlaces;
  readonly #instruction = createInstruction();
  readonly #padded = new Uint8Array(2 * MAX_INSTRUCTION_LENGTH);

  constructor(random: RandomSource, places: OperandPlaces) {
    this.#random = random;
    this.#places = places;
  }

  /** The instruction that was made last, decoded. */
  get decoded(): Instruction {
    return this.#instruction;
  }

  /** An instruction of a row that does not write the `kept` registers; undefined when none was found. */
  encode(row: Row, kept: readonly number[] = []): Item | undefined {
    for (let n = 0; n < ATTEMPTS; n++) {
      const item = this.#attempt(row);
      if (item !== undefined && this.#isGood(row, item, kept)) return item;
    }
    return undefined;
  }

  #attempt(row: Row): Item {
    const random = this.#random;
    const shape = chooseShape(row, random.below(64), random);
    let rex = (shape.w ? 8 : 0) | (shape.rex ? 0x40 : 0);
    let { opcode } = row;
    const middle: number[] = [];
    let memory: MemoryOperand | undefined;
    const reg = random.below(row.operands.some(({ kind }) => kind === 'S') ? 6 : 16);
    const rm = random.below(16);
    if (row.hasModrm) {
      const field = row.extension >= 0 ? row.extension : reg;
      rex |= (field & 8) >> 1;
      if (shape.isMemory) {
        memory = this.#memoryOperand(row, shape);
        middle.push(memory.modrm | ((field & 7) << 3), ...memory.tail);
        rex |= memory.rex;
      } else if (row.modrm >= 0) {
        middle.push(row.modrm + random.below(row.nrModrms));
      } else {
        middle.push(0xc0 | ((field & 7) << 3) | (rm & 7));
        rex |= rm >> 3;
      }
    } else if (row.nrOpcodes === 8) {
      opcode += rm & 7;
      rex |= rm >> 3;
    }
    const head = [...shape.prefixes, ...(rex === 0 ? [] : [rex | 0x40]), ...(MAP_BYTES[row.map] ?? []), opcode];
    const bytes = [...head, ...middle, ...this.#immediate(row, shape)];
    if (memory?.address === undefined) return { bytes, fixups: [] };
    const at = head.length + middle.length - 4;
    return { bytes, fixups: [{ at, size: 4, relative: true, target: { address: memory.address } }] };
  }

  #memoryOperand(row: Row, shape: Shape): MemoryOperand {
    const random = this.#random;
    const operand = rmOperand(row);
    const bytes = operand === undefined ? 1 : operandBytes(operand, shape.operandSize, shape.w);
    const linear = this.#places.forOperand(row.mnemonic, bytes);
    const base = shape.segment === 4 ? FS_BASE : shape.segment === 5 ? GS_BASE : 0n;
    const offset = Number(BigInt.asIntN(64, BigInt(linear) - base));
    switch (random.below(24)) {
      case 0:
      case 1:
      case 2:
        return withBase(ANCHOR_REGISTER, offset - ANCHOR);
      case 3:
      case 4:
      case 5: {
        const scale = random.below(4);
        const displacement = offset - ANCHOR - (INDEX << scale);
        return {
          modrm: 0x84,
          tail: [
            (scale << 6) | ((INDEX_REGISTER & 7) << 3) | (ANCHOR_REGISTER & 7),
            ...bytesOf(BigInt(displacement), 4),
          ],
          rex: 3,
        };
      }
      case 6:
      case 7:
      case 8:
      case 9:
        if (shape.segment === 0 && shape.addressSize === 64)
          return { modrm: 0x05, tail: [0, 0, 0, 0], rex: 0, address: linear };
        break;
      case 10:
      case 11:
        return withBase(RSP, random.below(0x100) & (random.oneIn(4) ? -1 : -16));
      case 12:
        if (this.#places.allowsWild()) return withBase(random.below(16), random.below(0x100) - 0x80);
    }
    // the displacement alone
    return { modrm: 0x04, tail: [0x25, ...bytesOf(BigInt(offset), 4)], rex: 0 };
  }

  #immediate(row: Row, shape: Shape): number[] {
    const random = this.#random;
    if (row.immediate === Immediate.MOFFS) {
      const operand = row.operands.find(({ kind }) => kind === 'O');
      const bytes = operand === undefined ? 1 : operandBytes(operand, shape.operandSize, shape.w);
      const base = shape.segment === 4 ? FS_BASE : shape.segment === 5 ? GS_BASE : 0n;
      return bytesOf(BigInt(this.#places.forOperand('', bytes)) - base, shape.addressSize >> 3);
    }
    const sizes: Readonly<Record<number, number>> = {
      [Immediate.IB]: 1,
      [Immediate.IW]: 2,
      [Immediate.IZ]: shape.operandSize === 16 ? 2 : 4,
      [Immediate.IV]: shape.operandSize >> 3,
      [Immediate.IW_IB]: 3,
      [Immediate.ID]: 4,
    };
    return bytesOf(integer(random), sizes[row.immediate] ?? 0);
  }

  /** It decodes to the row, or is wrong on purpose, and does not write what is kept. */
  #isGood(row: Row, { bytes }: Item, kept: readonly number[]): boolean {
    if (bytes.length > MAX_INSTRUCTION_LENGTH) return false;
    const i = this.#instruction;
    this.#padded.fill(0);
    this.#padded.set(bytes);
    const outcome = decode(this.#padded, 0, bytes.length, 0, i);
    if (outcome === Decoded.UNDEFINED) return this.#random.oneIn(4);
    if (outcome !== Decoded.OK || i.row !== row || i.length !== bytes.length) return false;
    const named = row.operands.flatMap(({ kind, size }) => {
      const register =
        kind === 'G' ? i.reg : kind === 'Z' ? i.opcodeReg : 'ER'.includes(kind) && !i.isMemory ? i.rm : -1;
      return kind === '' || register < 0 || (size === 'b' && !i.rex && register >= 4) ? [] : [register];
    });
    if (named.some((register) => kept.includes(register))) return false;
    return !named.some((register) => RELIED_ON.includes(register)) || this.#random.oneIn(100);
  }
}

/** An operand at a register and a displacement. */
function withBase(register: number, displacement: number): MemoryOperand {
  const sib = (register & 7) === RSP ? [0x24] : [];
  return { modrm: 0x80 | (register & 7), tail: [...sib, ...bytesOf(BigInt(displacement), 4)], rex: register >> 3 };
}
