// Where memory operands of random instructions lie: in the data mostly, aligned mostly; across the end of a page,
// in pages that are not there or may not be written, in the code, as often as the program's character says.

import type { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { addressOfPage, NR_CODE, PAGE, Page, Table } from './layout.ts';

const CONTROL_STATE: Readonly<Record<string, readonly number[]>> = {
  LDMXCSR: Array.from({ length: 16 }, (_, n) => Table.MXCSR + 4 * n),
  FLDCW: Array.from({ length: 16 }, (_, n) => Table.FCW + 4 * n),
  FXRSTOR: [Table.FX, Table.FX + 512],
  FRSTOR: [Table.ENVIRONMENT],
  FLDENV: [Table.ENVIRONMENT],
};

/** Most bytes that an operand of any size is long. */
const LONGEST = 512;

/** How often operands are in odd places: once in so many; 0 is never. */
export interface OperandHabits {
  readonly crossing: number;
  readonly faulting: number;
  readonly code: number;
  readonly wild: number;
}

/** Chooses addresses. */
export class OperandPlaces {
  readonly #random: RandomSource;
  readonly #habits: OperandHabits;

  constructor(random: RandomSource, habits: OperandHabits) {
    this.#random = random;
    this.#habits = habits;
  }

  /** Address of an operand of an instruction. */
  forOperand(mnemonic: string, bytes: number): number {
    const images = CONTROL_STATE[mnemonic];
    if (images !== undefined && !this.#random.oneIn(8)) return addressOfPage(Page.TABLES) + this.#random.pick(images);
    return this.data(mnemonic.startsWith('FX') || /SAVE|ENV/.test(mnemonic) ? LONGEST : bytes);
  }

  /** Address of some data. */
  data(bytes: number): number {
    const random = this.#random;
    const { crossing, faulting, code } = this.#habits;
    if (this.#happens(crossing))
      return addressOfPage(Page.DATA + 1 + random.below(3)) - 1 - random.below(Math.max(bytes - 1, 1));
    if (this.#happens(faulting)) {
      const page = random.pick([
        Page.LAZY_LOW,
        Page.LAZY_HIGH,
        Page.READ_ONLY,
        Page.READ_ONLY + 1,
        Page.KERNEL_ONLY,
        Page.DATA + 4,
      ]);
      return addressOfPage(page) + random.pick([0, 0x10, -1, -2, -4, 0x100, 0x7f8]);
    }
    if (this.#happens(code)) {
      const page = random.pick([Page.CODE, Page.ALIAS]) + random.below(NR_CODE);
      return addressOfPage(page) + random.below(PAGE - 16);
    }
    const page = random.oneIn(6) ? Page.DATA_ALIAS + random.below(4) : Page.DATA + random.below(4);
    const range = bytes >= LONGEST ? PAGE - LONGEST : 0x200;
    const offset = random.below(range);
    return addressOfPage(page) + (random.oneIn(5) ? offset : offset & -16);
  }

  /** True when an operand may be wherever its base register says. */
  allowsWild(): boolean {
    return this.#happens(this.#habits.wild);
  }

  #happens(once: number): boolean {
    return once > 0 && this.#random.oneIn(once);
  }
}
