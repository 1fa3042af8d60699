// A compiled region as text: its function, with the guest instruction and the record above the code of each.

import type { MachineMemory } from '../../machine/index.ts';
import type { CompiledRegion } from '../compile/observer.ts';
import { opcodeOf } from '../ir/operations.ts';
import { COMPARE_AND_JUMPS } from '../ir/operations/compare-and-jump.ts';
import { printRecords } from '../ir/print.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { functionText } from './function-text.ts';
import {
  addressText,
  codeBytes,
  covers,
  type GuestInstruction,
  instructionAt,
  instructionText,
  mayHold,
} from './guest-code.ts';

/** Comparisons fused with the jump in the next record, which has no mark. */
const FUSED: ReadonlySet<number> = new Set(COMPARE_AND_JUMPS.map(({ name }) => opcodeOf(name)));

/** Frame of the block that a record is in, or -1. */
export type FrameOf = (record: number) => number;

/**
 * Text of a region, several lines; undefined when it has no instruction at `address`.
 * @param page - virtual address of the page that the region is entered on
 */
export function regionText(
  memory: EngineMemory,
  machine: MachineMemory,
  frameOf: FrameOf,
  region: CompiledRegion,
  page: bigint,
  address: bigint,
): string | undefined {
  const { head, code, pages, calls } = region;
  if (!pages.some(({ distance }) => mayHold(page + BigInt(distance), address))) return undefined;
  const places = new Map(
    pages.map(({ frame, distance }) => [
      frame,
      { bytes: codeBytes(machine, frame, -1), page: page + BigInt(distance) },
    ]),
  );
  const instructions = new Map<number, GuestInstruction>();
  for (const { tag } of code.marks) {
    const place = tag === 0 ? undefined : places.get(frameOf(tag));
    if (place === undefined) continue;
    instructions.set(tag, instructionAt(place.bytes, place.page, memory.u16[(tag + Rec.RIP) >> 1]));
  }
  const all = [...instructions.values()];
  if (!all.some((instruction) => covers(instruction, address))) return undefined;

  let shown: bigint | undefined;
  const comment = (record: number): string[] => {
    if (record === 0) return ['end of the records'];
    const instruction = instructions.get(record);
    const records = FUSED.has(memory.u16[record >> 1]) ? 2 : 1;
    const text = printRecords(memory.u8.subarray(record, record + records * RECORD_SIZE), records);
    const lines = text.split('\n').map((line) => `    ${line}`);
    if (instruction === undefined || instruction.address === shown) return lines;
    shown = instruction.address;
    return [instructionText(instruction), ...lines];
  };
  const lines = functionText(code, calls, comment);
  const entry = addressText(page + BigInt(memory.u16[(head + Rec.RIP) >> 1]));
  const frames = pages.map(({ frame }) => frame.toString(16)).join(', ');
  const nr = new Set(all.map((instruction) => instruction.address)).size;
  return `region at ${entry}, frame${pages.length === 1 ? '' : 's'} ${frames}: ${nr} instructions, ${code.body().length} bytes\n${lines.join('\n')}\n`;
}
