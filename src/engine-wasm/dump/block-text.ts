// A decoded block as text: each guest instruction with its records below it. Builds the block once more.

import type { MachineMemory } from '../../machine/index.ts';
import type { DecodedBlock } from '../cache/decode-observer.ts';
import type { Instruction } from '../decode/instruction.ts';
import { IrBuilder } from '../ir/builder.ts';
import { printRecords } from '../ir/print.ts';
import { RECORD_SIZE } from '../ir/record.ts';
import { buildBlock, MAX_BLOCK_RECORDS } from '../lower/block.ts';
import { addressText, codeBytes, covers, instructionAt, instructionText, mayHold } from './guest-code.ts';

const PAGE_SIZE = 4096;
const RECORD_INDENT = '        ';

/** A builder that remembers where the records of each instruction begin. */
class RecordingBuilder extends IrBuilder {
  readonly starts: { readonly offset: number; readonly record: number }[] = [];

  override beginInstruction(i: Instruction): void {
    this.starts.push({ offset: i.offset, record: this.nrRecords });
    super.beginInstruction(i);
  }
}

/** Text of a block, several lines; undefined when it has no instruction at `address`. */
export function blockText(machine: MachineMemory, block: DecodedBlock, address: bigint): string | undefined {
  const { page, spill } = block;
  if (!mayHold(page, address)) return undefined;
  const frame = Math.floor(block.address / PAGE_SIZE);
  const bytes = codeBytes(machine, frame, spill);
  const builder = new RecordingBuilder(MAX_BLOCK_RECORDS);
  buildBlock(bytes, block.address % PAGE_SIZE, bytes.length, builder, spill < 0 ? Infinity : 1, spill);
  const { starts } = builder;
  const instructions = starts.map(({ offset }) => instructionAt(bytes, page, offset));
  if (!instructions.some((instruction) => covers(instruction, address))) return undefined;

  const at = addressText(page + BigInt(block.address % PAGE_SIZE));
  const lines = [
    `block at ${at}, frame ${frame.toString(16)}: ${starts.length} instructions, ${builder.nrRecords} records`,
  ];
  starts.forEach(({ record }, n) => {
    const end = starts[n + 1]?.record ?? builder.nrRecords;
    lines.push(`  ${instructionText(instructions[n])}`);
    if (end === record) return;
    const records = printRecords(builder.bytes.subarray(record * RECORD_SIZE), end - record);
    lines.push(records.replaceAll(/^/gm, RECORD_INDENT));
  });
  return `${lines.join('\n')}\n`;
}
