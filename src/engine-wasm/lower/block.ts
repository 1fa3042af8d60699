// Builds one superblock: decodes and lowers instructions until control leaves for good, the page ends,
// or the block is long enough. Conditional jumps are side exits; the not-taken path stays in the block.
// Called by the code source of the engine.

import { bug } from '../../base/index.ts';
import { createInstruction, decode, Decoded } from '../decode/decode.ts';
import type { Instruction } from '../decode/instruction.ts';
import type { IrBuilder } from '../ir/builder.ts';
import { opcodeOf } from '../ir/operations.ts';
import { temp } from '../ir/slots.ts';
import { LOWERINGS, MAX_RECORDS } from './lowering.ts';
import { lowerException, lowerUndefined } from './undefined.ts';

/** Why a block ends. */
export const BlockEnd = {
  /** The last instruction transfers control or leaves. */
  TRANSFER: 0,
  /** The block is full, or as long as was asked for; it ends with a jump to the next instruction. */
  LIMIT: 1,
  /** The next instruction begins on the next page or runs over into it; the block ends with a jump to it. */
  PAGE_END: 2,
  /** The first instruction runs over the end of the bytes; the builder has no block. */
  NEEDS_NEXT_PAGE: 3,
} as const;

/** A value of `BlockEnd`. */
export type BlockEndKind = (typeof BlockEnd)[keyof typeof BlockEnd];

/** Most instructions of a block. */
export const MAX_BLOCK_INSTRUCTIONS = 48;

/** Capacity of the builder that blocks are built with, in records. */
export const MAX_BLOCK_RECORDS = 384;

const PAGE_SIZE = 4096;
const GENERAL_PROTECTION = 13;

/** Jumps that a block goes on behind; more would only repeat loops. */
const MAX_FOLLOWED_JUMPS = 3;

const NEXT_PAGE = opcodeOf('nextpage');
const MOV64 = opcodeOf('mov64');

/**
 * Builds the block at an offset of a code page.
 * @param bytes - the page, and for an instruction that runs over its end at least 15 bytes of the next
 * @param offset - of the first instruction
 * @param end - index behind the last byte that may be read
 * @param b - reset by the caller, with a capacity of `MAX_BLOCK_RECORDS`
 * @param maxInstructions - at least 1; `MAX_BLOCK_INSTRUCTIONS` holds anyway
 * @param nextFrame - machine frame that bytes of the next page were taken from, or -1
 */
export function buildBlock(
  bytes: Uint8Array,
  offset: number,
  end: number,
  b: IrBuilder,
  maxInstructions: number,
  nextFrame: number,
): BlockEndKind {
  if (maxInstructions < 1) bug('a block of no instructions');
  const most = Math.min(maxInstructions, MAX_BLOCK_INSTRUCTIONS);
  const instruction = createInstruction(); // reused for every instruction of the block
  let at = offset;
  let followed = 0;
  while (!b.ended) {
    const outcome = decode(bytes, at, end, at, instruction);
    if (outcome === Decoded.NEEDS_MORE && b.nrInstructions === 0) return BlockEnd.NEEDS_NEXT_PAGE;
    if (outcome === Decoded.NEEDS_MORE) {
      b.jump(at);
      return BlockEnd.PAGE_END;
    }
    b.beginInstruction(instruction);
    const before = b.nrRecords;
    if (nextFrame >= 0 && b.nrInstructions === 1) b.op(NEXT_PAGE, 0, 0, 0, 0, nextFrame);
    const target = outcome === Decoded.OK && nextFrame < 0 ? directTarget(instruction) : undefined;
    if (target !== undefined && followed < MAX_FOLLOWED_JUMPS) followed++;
    else if (outcome === Decoded.OK) LOWERINGS[instruction.row.id](b, instruction);
    else if (outcome === Decoded.UNDEFINED) lowerUndefined(b);
    else lowerException(b, GENERAL_PROTECTION);
    // the code cache finds the end of an instruction that overwrites code by the next one's first record
    if (b.nrRecords === before && b.previousMayStore) b.op(MOV64, temp(0), temp(0));

    at = target ?? instruction.next;
    if (b.ended) break;
    if (at >= PAGE_SIZE) {
      b.jump(at);
      return BlockEnd.PAGE_END;
    }
    if (b.nrInstructions >= most || b.room <= MAX_RECORDS) {
      b.jump(at);
      return BlockEnd.LIMIT;
    }
  }
  return BlockEnd.TRANSFER;
}

/** Target of an unconditional jump to the same page; undefined for every other instruction. */
function directTarget(i: Instruction): number | undefined {
  if (i.row.mnemonic !== 'JMP' || i.row.operands[0]?.kind !== 'J') return undefined;
  const target = i.next + i.imm;
  return target >= 0 && target < PAGE_SIZE ? target : undefined;
}
