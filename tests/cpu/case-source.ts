// Everything that vectors are recorded of: the rows of the instruction table, opcodes that no row describes, and
// sequences of instructions. Each source has a name, a file and a generator that always makes the same cases.

import { casesOf } from './cases.ts';
import { exclusionOf } from './exclusions.ts';
import { FAMILIES, NAMED_ROWS } from './row-list.ts';
import { SEQUENCE_GROUPS, sequencesOf } from './sequences.ts';
import { undefinedCases } from './undefined-opcodes.ts';

/** A generator of cases. */
export interface CaseSource {
  /** Name that the recorded outcomes are found by. */
  readonly text: string;
  /** Name of the file that they are in. */
  readonly file: string;
  /** The inputs, `Input.SIZE` bytes each. */
  readonly cases: () => Uint8Array;
}

/** Files of the single instructions. */
export const INSTRUCTION_FILES: readonly string[] = [...FAMILIES, 'undefined'];

/** File of the sequences. */
export const SEQUENCE_FILE = 'sequences';

/** All sources. */
export const CASE_SOURCES: readonly CaseSource[] = [
  ...NAMED_ROWS.filter((row) => exclusionOf(row) === undefined).map((row) => ({
    text: row.text,
    file: row.family,
    cases: () => casesOf(row),
  })),
  { text: 'undefined opcodes', file: 'undefined', cases: undefinedCases },
  ...SEQUENCE_GROUPS.map((group) => ({ text: group.text, file: SEQUENCE_FILE, cases: () => sequencesOf(group) })),
];
