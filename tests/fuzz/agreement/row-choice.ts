// Which rows of the instruction table random code takes, by family: a program has a character, so that some are
// full of flags, some of floating point. Rows that leave the engine, and those that need company, have their own lists.

import type { Row } from '../../../src/engine-wasm/decode/row.ts';
import type { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { exclusionOf } from '../../cpu/exclusions.ts';
import { NAMED_ROWS, type NamedRow } from '../../cpu/row-list.ts';

/** Rows that only make sense with something around them: `RoutineWriter` has a construct for each. */
const COMPANY =
  /^(J.+|LOOP.*|CALL|RET|PUSH|POP|PUSHF|POPF|ENTER|LEAVE|MOVS|CMPS|STOS|LODS|SCAS|XLAT|MASKMOV.*|I?DIV|STD|CLD|CMPXCHG.*)$/;
const FLAGS =
  /^(ADC|SBB|INC|DEC|RC[LR]|RO[LR]|SH[LR]D?|SAR|SAHF|LAHF|CMC|STC|CLC|SET.*|CMOV.*|BT[SRC]?|CMP|TEST|NEG|XADD|IMUL|BS[FR]|ADD|SUB|POPCNT)$/;

/** Families of rows. */
export const RowFamily = {
  integer: select(({ family }) => family === 'integer'),
  flags: select(({ row, family }) => family === 'integer' && FLAGS.test(row.mnemonic)),
  sse: select(({ family }) => family === 'sse' || family === 'sse4'),
  x87: select(({ family }) => family === 'x87'),
  mmx: select(({ family }) => family === 'mmx'),
  system: select(({ family }) => family === 'system'),
} as const;

/** A name of a family. */
export type RowFamilyName = keyof typeof RowFamily;

/** Rows that leave the engine, mostly. */
export const EXIT_ROWS: readonly Row[] = NAMED_ROWS.filter((named) => exclusionOf(named) !== undefined).map(
  ({ row }) => row,
);

/** Rows with one of the mnemonics. */
export function rowsNamed(mnemonics: RegExp): readonly Row[] {
  return NAMED_ROWS.filter(({ row }) => mnemonics.test(row.mnemonic)).map(({ row }) => row);
}

/** Picks rows with the weights of a program's character. */
export class RowChoice {
  readonly #random: RandomSource;
  readonly #families: readonly RowFamilyName[];

  /** @param families - each as often as it is to be picked */
  constructor(random: RandomSource, families: readonly RowFamilyName[]) {
    this.#random = random;
    this.#families = families;
  }

  pick(): Row {
    return this.#random.pick(RowFamily[this.#random.pick(this.#families)]);
  }
}

function select(wanted: (named: NamedRow) => boolean): readonly Row[] {
  return NAMED_ROWS.filter(
    (named) => exclusionOf(named) === undefined && !COMPANY.test(named.row.mnemonic) && wanted(named),
  ).map(({ row }) => row);
}
