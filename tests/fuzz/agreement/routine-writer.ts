// Writes the routines of a random program: straight code with constructs in it, which stand in files of their own:
// `control-`, `data-` and `store-constructs.ts`. Here is what they are written with.

import type { Row } from '../../../src/engine-wasm/decode/row.ts';
import { bytesOf } from '../../cpu/addressing.ts';
import type { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { addressOfPage, Page, Table } from './layout.ts';
import { type Item, plain, type Target } from './program.ts';
import { EXIT_ROWS, type RowChoice } from './row-choice.ts';
import type { OperandPlaces } from './operand-places.ts';
import type { RowEncoder } from './row-encoder.ts';

/** How a program is: weights and chances. */
export interface Character {
  /** Chance, in percent, that the next thing is a construct that moves control. */
  readonly control: number;
  /** The same for constructs with prepared operands. */
  readonly prepared: number;
  /** The same for stores to code. */
  readonly rewriting: number;
  /** Once in so many instructions is one that leaves the engine. */
  readonly leaving: number;
  /** Once in so many returns does not go back to its caller. */
  readonly crooked: number;
}

/** Constructs within each other at most. */
const DEEPEST = 3;

/** What the routines of a program share. */
export interface ProgramNames {
  /** Labels of all routines. */
  readonly entries: readonly number[];
  /** Any labels at all, as far as they have been placed: targets of jump tables. */
  readonly places: number[];
  /** Jump tables so far: the common one, then those of single jumps. */
  readonly targets: Target[];
  newLabel(): number;
}

/** What the routines of a program are written with. */
export interface Kit {
  readonly random: RandomSource;
  readonly places: OperandPlaces;
  readonly encoder: RowEncoder;
  readonly names: ProgramNames;
  readonly rows: RowChoice;
  readonly character: Character;
  /** Constructs that move control. */
  readonly control: readonly Construct[];
  /** Constructs with prepared operands. */
  readonly prepared: readonly Construct[];
  /** Constructs that store to code. */
  readonly rewriting: readonly Construct[];
}

/** A construct: appends its items. */
export type Construct = (writer: RoutineWriter) => void;

/** Writes one routine. */
export class RoutineWriter {
  readonly items: Item[] = [];
  readonly random: RandomSource;
  readonly places: OperandPlaces;
  readonly names: ProgramNames;
  readonly #kit: Kit;
  /** Registers that loops around here count in. */
  readonly kept: number[] = [];
  #depth = 0;

  constructor(kit: Kit) {
    this.#kit = kit;
    this.random = kit.random;
    this.places = kit.places;
    this.names = kit.names;
  }

  /** Writes a routine of about so many constructs. */
  routine(entry: number, length: number): void {
    this.label(entry);
    if (this.random.oneIn(3)) this.bounded();
    for (let n = 0; n < length; n++) this.add();
    this.return();
  }

  /** Appends items. */
  put(...items: readonly Item[]): void {
    this.items.push(...items);
  }

  /** Places a label. */
  label(label: number): void {
    this.put({ bytes: [], fixups: [], label });
    if (this.random.oneIn(2)) this.names.places.push(label);
  }

  /** Appends an instruction of a row. @returns false when none could be made */
  row(row: Row): boolean {
    const item = this.#kit.encoder.encode(row, this.kept);
    if (item !== undefined) this.put(item);
    return item !== undefined;
  }

  /** Appends an instruction. */
  instruction(): void {
    const row = this.random.oneIn(this.#kit.character.leaving) ? this.random.pick(EXIT_ROWS) : this.#kit.rows.pick();
    this.row(row);
  }

  /** Appends one to `most` instructions. */
  some(most: number): void {
    for (let n = 1 + this.random.below(most); n > 0; n--) this.instruction();
  }

  /** Appends something. */
  add(): void {
    const { control, prepared, rewriting } = this.#kit.character;
    const { random } = this;
    const choice = random.below(100);
    if (choice < control) this.#control();
    else if (choice < control + prepared) random.pick(this.#kit.prepared)(this);
    else if (choice < control + prepared + rewriting) random.pick(this.#kit.rewriting)(this);
    else this.some(3);
  }

  /** Appends a jump. @param condition - 0 to 15; none for an unconditional one */
  jump(target: Target, condition?: number): void {
    const fixup = (at: number, size: 1 | 4) => [{ at, size, relative: true, target }] as const;
    const bytes = condition === undefined ? [0xe9] : [0x0f, 0x80 | condition];
    const long: Item = { bytes: [...bytes, 0, 0, 0, 0], fixups: fixup(bytes.length, 4) };
    const short = { bytes: [condition === undefined ? 0xeb : 0x70 | condition, 0], fixups: fixup(1, 1), long };
    this.put(this.random.oneIn(3) ? long : short);
  }

  /** Appends one to `most` things. */
  body(most: number): void {
    for (let n = 1 + this.random.below(most); n > 0; n--) this.add();
  }

  /** Appends a call. */
  call(target: Target): void {
    this.put({ bytes: [0xe8, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: true, target }] });
  }

  /** Appends the push of an address. */
  pushAddress(target: Target): void {
    if (this.random.oneIn(2)) {
      this.put({ bytes: [0x68, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: false, target }] });
      return;
    }
    this.loadAddress(0, target);
    this.put(plain(0x50));
  }

  /** Appends a mov or lea of an address to one of the first 8 registers. */
  loadAddress(register: number, target: Target): void {
    const opcode = 0xb8 | register;
    switch (this.random.below(3)) {
      case 0: {
        const fixup = { at: 3, size: 4, relative: true, target } as const;
        return this.put({ bytes: [0x48, 0x8d, 5 | (register << 3), 0, 0, 0, 0], fixups: [fixup] });
      }
      case 1:
        return this.put({ bytes: [opcode, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: false, target }] });
      default: {
        const fixup = { at: 2, size: 8, relative: false, target } as const;
        return this.put({ bytes: [0x48, opcode, 0, 0, 0, 0, 0, 0, 0, 0], fixups: [fixup] });
      }
    }
  }

  /** Bytes of the address of a counter in memory. */
  counter(): number[] {
    const address = addressOfPage(Page.TABLES) + Table.COUNTERS + 4 * this.random.below(Table.NR_COUNTERS);
    return bytesOf(BigInt(address), 4);
  }

  /** Appends a return to the caller for when a counter in memory is used up, so that recursion ends. */
  bounded(): void {
    const go = this.names.newLabel();
    const counter = this.counter();
    this.put(plain(0xff, 0x0c, 0x25, ...counter)); // decl
    this.jump({ label: go }, 9); // jns
    if (this.random.oneIn(3)) {
      const rounds = bytesOf(BigInt(this.random.below(60)), 4);
      this.put(plain(0xc7, 0x04, 0x25, ...counter, ...rounds)); // movl
    }
    this.put(plain(0xc3));
    this.label(go);
  }

  /** Appends a return: to the caller mostly. */
  return(): void {
    const { random } = this;
    if (!random.oneIn(this.#kit.character.crooked)) {
      this.put(random.oneIn(6) ? plain(0xf3, 0xc3) : plain(0xc3));
      return;
    }
    switch (random.below(6)) {
      case 0: // to the caller's caller
        this.put(plain(0x48, 0x83, 0xc4, 8), plain(0xc3));
        break;
      case 1:
        this.put(plain(0xc2, ...bytesOf(BigInt(8 * random.below(3)), 2)));
        break;
      case 2: // pop %rdx; jmp *%rdx
        this.put(plain(0x5a), plain(0xff, 0xe2));
        break;
      case 3: // a little further than the caller thinks
        this.put(plain(0x48, 0x83, 0x04, 0x24, random.below(6)), plain(0xc3));
        break;
      case 4: // on in another routine, whose caller is ours
        this.jump({ label: random.pick(this.names.entries), alias: random.oneIn(3) });
        break;
      default: // to another routine, and then to the caller
        this.pushAddress({ label: random.pick(this.names.entries), alias: random.oneIn(3) });
        this.put(plain(0xc3));
    }
  }

  #control(): void {
    if (this.#depth >= DEEPEST) return this.some(2);
    this.#depth++;
    this.random.pick(this.#kit.control)(this);
    this.#depth--;
  }
}
