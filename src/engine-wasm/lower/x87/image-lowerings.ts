// Lowerings of the x87 instructions that load or store an environment of 14 or 28 bytes, alone or with
// the registers. The image passes through the engine's buffer in pieces; both ends are probed before the
// first store, so that none can fault halfway.

import type { Instruction } from '../../decode/instruction.ts';
import type { IrBuilder } from '../../ir/builder.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { temp } from '../../ir/slots.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import { Word } from '../../runtime/layout.ts';
import { EnvironmentSize } from '../../runtime/x87/environment.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { helper } from '../operand.ts';

const PIECES = [16, 8, 4, 2] as const;

/** Factories by mnemonic. */
export const IMAGE_LOWERINGS: LoweringTable = {
  FLDENV: () => lowerLoad('fldenv', 0),
  FRSTOR: () => lowerLoad('frstor', EnvironmentSize.REGISTERS),
  FNSTENV: () => lowerStore('fnstenv', 0),
  FNSAVE: () => lowerStore('fnsave', EnvironmentSize.REGISTERS),
};

/** Bytes of the image by operand size. */
function sizeOf(i: Instruction, registers: number): number {
  return registers + (i.operandSize === 16 ? EnvironmentSize.SHORT : EnvironmentSize.LONG);
}

/** Moves an image between memory and the buffer. @param opcodes - by piece size in bytes */
function movePieces(b: IrBuilder, i: Instruction, size: number, opcodes: ReadonlyMap<number, number>): void {
  let at = 0;
  for (const piece of PIECES) {
    for (; at + piece <= size; at += piece) b.mem(opcodes.get(piece) ?? 0, Word.FX_IMAGE + at, i, at);
  }
}

function piecesOf(name: string): ReadonlyMap<number, number> {
  return new Map(PIECES.map((bytes) => [bytes, opcodeOf(`${name}${bytes * 8}`)]));
}

function lowerLoad(name: string, registers: number): Lowering {
  const [long, short] = [helperIndex(`x87.${name}`), helperIndex(`x87.${name}_16`)];
  const loads = piecesOf('ld');
  return (b, i) => {
    movePieces(b, i, sizeOf(i, registers), loads);
    helper(b, i.operandSize === 16 ? short : long, Word.FX_IMAGE, 0, 0);
  };
}

function lowerStore(name: string, registers: number): Lowering {
  const [long, short] = [helperIndex(`x87.${name}`), helperIndex(`x87.${name}_16`)];
  const probe = opcodeOf('ldw8');
  const stores = piecesOf('st');
  return (b, i) => {
    const size = sizeOf(i, registers);
    b.mem(probe, temp(0), i);
    b.mem(probe, temp(0), i, size - 1);
    helper(b, i.operandSize === 16 ? short : long, Word.FX_IMAGE, 0, 0);
    movePieces(b, i, size, stores);
  };
}
