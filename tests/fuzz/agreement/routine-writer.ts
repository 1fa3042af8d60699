// Writes the routines of a random program: straight code with constructs in it. Here are those that move control;
// the others are in `data-constructs.ts` and `store-constructs.ts`.

import type { Row } from '../../../src/engine-wasm/decode/row.ts';
import { bytesOf } from '../../cpu/addressing.ts';
import type { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { addressOfPage, Page, Table } from './layout.ts';
import { type Item, plain, type Target } from './program.ts';
import { EXIT_ROWS, type RowChoice, rowsNamed } from './row-choice.ts';
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

/** Registers that loops count in. */
const COUNTERS = [8, 9, 10, 11, 12, 13] as const;
const DEEPEST = 3;
const COMPARES = rowsNamed(/^(CMP|TEST|SUB|ADD|AND|DEC|INC|SHR|SAR|BT|UCOMISD|COMISS|PTEST|BSF|NEG)$/);

/** Instructions that leave the flags: mov, lea, not, movaps. */
const FLAGLESS: readonly Item[] = [
  plain(0x89, 0xc1),
  plain(0x48, 0x8d, 0x40, 0x11),
  plain(0xf7, 0xd2),
  plain(0x0f, 0x28, 0xca),
];

/** What the routines of a program share. */
export interface ProgramNames {
  /** Labels of all routines. */
  readonly entries: readonly number[];
  /** Any labels at all, as far as they have been placed: targets of jump tables. */
  readonly places: number[];
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
  readonly #kept: number[] = [];
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
    if (this.random.oneIn(3)) this.#bounded();
    for (let n = 0; n < length; n++) this.add();
    this.#return();
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
    const item = this.#kit.encoder.encode(row, this.#kept);
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
    const choice = this.random.below(100);
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

  #control(): void {
    if (this.#depth >= DEEPEST) return this.some(2);
    this.#depth++;
    const { random } = this;
    switch (random.below(15)) {
      case 0:
      case 1:
      case 2:
        this.#skip();
        break;
      case 3:
      case 4:
        this.#loop();
        break;
      case 5:
        this.#countedInMemory();
        break;
      case 6:
        this.#loopInstruction();
        break;
      case 7:
      case 8:
        this.#call();
        break;
      case 9:
        this.#indirect(true);
        break;
      case 10:
        this.#indirect(false);
        break;
      case 11:
        this.#either();
        break;
      case 12:
        this.#localCall();
        break;
      case 13:
        this.#sharedReturn();
        break;
      default:
        this.#strangeTransfer();
    }
    this.#depth--;
  }

  /** A conditional jump over something; the flags may be old. */
  #skip(): void {
    const behind = this.names.newLabel();
    this.jump({ label: behind }, this.random.below(16));
    this.#body(2);
    this.label(behind);
  }

  /** if .. else, with the flags set well before. */
  #either(): void {
    const other = this.names.newLabel();
    const behind = this.names.newLabel();
    this.row(this.random.pick(COMPARES));
    if (this.random.oneIn(2)) this.put(this.random.pick(FLAGLESS));
    this.jump({ label: other }, this.random.below(16));
    this.#body(2);
    this.jump({ label: behind });
    this.label(other);
    this.#body(2);
    this.label(behind);
  }

  /** mov counter; ..; dec, sub or add; jcc back. Sometimes entered in the middle. */
  #loop(): void {
    const { random } = this;
    const counter = random.pick(COUNTERS.filter((register) => !this.#kept.includes(register)));
    const low = counter & 7;
    const head = this.names.newLabel();
    const middle = this.names.newLabel();
    const rounds = random.oneIn(8) ? 30 + random.below(100) : 1 + random.below(8);
    this.put(plain(0x41, 0xb8 | low, ...bytesOf(BigInt(rounds), 4)));
    if (random.oneIn(6)) this.jump({ label: middle });
    this.label(head);
    this.#kept.push(counter);
    this.#body(3);
    this.label(middle);
    if (random.oneIn(4)) this.#body(1);
    this.#kept.pop();
    const rex = random.oneIn(3) ? 0x49 : 0x41;
    if (random.oneIn(2)) this.put(plain(rex, 0xff, 0xc8 | low));
    else this.put(plain(rex, 0x83, 0xe8 | low, 1));
    this.jump({ label: head }, random.pick([5, 15])); // jnz, jg
  }

  /** A loop that counts in memory, so that nothing in it can break it: sub $1, counter; jg. */
  #countedInMemory(): void {
    const head = this.names.newLabel();
    const counter = this.#counter();
    this.put(plain(0xc7, 0x04, 0x25, ...counter, ...bytesOf(BigInt(1 + this.random.below(20)), 4)));
    this.label(head);
    this.#body(3);
    this.put(plain(0x83, 0x2c, 0x25, ...counter, 1));
    this.jump({ label: head }, 15);
  }

  /** mov ecx; ..; loop, loope, loopne; or jrcxz over something. */
  #loopInstruction(): void {
    const { random } = this;
    const head = this.names.newLabel();
    const prefix = random.oneIn(4) ? [0x67] : [];
    const jump = (opcode: number): Item => ({
      bytes: [...prefix, opcode, 0],
      fixups: [{ at: prefix.length + 1, size: 1, relative: true, target: { label: head } }],
    });
    if (random.oneIn(3)) {
      this.put(jump(0xe3));
      this.some(2);
      this.label(head);
      return;
    }
    this.put(plain(0xb9, ...bytesOf(BigInt(1 + random.below(6)), 4)));
    this.label(head);
    this.some(2);
    this.put(plain(0x83, 0xe1, 0x0f), jump(random.pick([0xe0, 0xe1, 0xe2]))); // and $15,%ecx
  }

  #call(): void {
    const target: Target = {
      label: this.random.pick(this.names.entries),
      alias: this.random.oneIn(8),
      addend: 0,
    };
    const cleanup = this.random.oneIn(4);
    if (cleanup) this.put(plain(0x50));
    this.put({ bytes: [0xe8, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: true, target }] });
    if (cleanup) this.put(plain(0x59));
  }

  /** A call or jump to an address from a table, with an index that the data decide, or from a register. */
  #indirect(isCall: boolean): void {
    const { random } = this;
    const table = addressOfPage(Page.TABLES) + Table.TARGETS;
    const mask = random.pick([0, 1, 3, 7, 31]);
    const field = isCall ? 0x10 : 0x20;
    const behind = this.names.newLabel();
    // mov register,%eax; and $mask,%eax
    this.put(plain(0x89, 0xc0 | (random.below(8) << 3)), plain(0x83, 0xe0, mask));
    if (!isCall && random.oneIn(2)) {
      // push behind, so that a routine that is jumped to returns here
      this.#pushAddress({ label: behind });
    }
    switch (random.below(4)) {
      case 0:
        this.put(plain(0xff, 0x04 | field, 0xc5, ...bytesOf(BigInt(table), 4))); // *table(,%rax,8)
        break;
      case 1:
        this.put(plain(0x48, 0x8b, 0x04, 0xc5, ...bytesOf(BigInt(table), 4))); // mov table(,%rax,8),%rax
        this.put(plain(0xff, 0xc0 | field));
        break;
      case 2:
        this.put(this.#loadAddress(3, { label: random.pick(this.names.entries), alias: random.oneIn(4) }));
        this.put(plain(0xff, 0xc3 | field));
        break;
      default:
        this.put(plain(0xff, 0x04 | field, 0x25, ...bytesOf(BigInt(table + 8 * random.below(Table.NR_TARGETS)), 4)));
    }
    this.label(behind);
  }

  /** call over something to a piece that returns, one way or another. */
  #localCall(): void {
    const routine = this.names.newLabel();
    const behind = this.names.newLabel();
    this.put({ bytes: [0xe8, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: true, target: { label: routine } }] });
    this.#body(2);
    this.jump({ label: behind });
    this.label(routine);
    this.#body(2);
    this.#return();
    this.label(behind);
  }

  /** A routine that is called, and then jumped to with the same return address pushed, or the one in the other mapping. */
  #sharedReturn(): void {
    const routine = this.names.newLabel();
    const back = this.names.newLabel();
    const behind = this.names.newLabel();
    const counter = this.#counter();
    this.put({ bytes: [0xe8, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: true, target: { label: routine } }] });
    this.label(back);
    this.#body(1);
    this.put(plain(0xff, 0x0c, 0x25, ...counter)); // decl
    this.jump({ label: behind }, 8); // js
    this.#pushAddress({ label: back, alias: this.random.oneIn(2) });
    this.jump({ label: routine });
    this.label(routine);
    this.#body(1);
    this.#return();
    this.label(behind);
  }

  /** What compilers do not write. */
  #strangeTransfer(): void {
    const { random } = this;
    const place = this.names.newLabel();
    switch (random.below(6)) {
      case 0: // push; ret as a jump
        this.#pushAddress({ label: place });
        this.put(plain(0xc3));
        this.some(2);
        this.label(place);
        break;
      case 1: // call the next instruction; pop
        this.put({ bytes: [0xe8, 0, 0, 0, 0], fixups: [] }, plain(0x58 | random.pick([0, 3, 6])));
        break;
      case 2: // into the middle of an instruction: mov $imm,%eax, whose immediate is code
        this.jump({ label: place, addend: 1 });
        this.label(place);
        this.put(plain(0xb8, 0x90, random.pick([0xf8, 0xf9, 0xf5, 0x98]), 0x90, 0x90));
        break;
      case 3: // ret imm, with what it takes away pushed before
        this.put(plain(0x50), plain(0x51));
        this.#pushAddress({ label: place, alias: random.oneIn(4) });
        this.put(plain(0xc2, 0x10, 0));
        this.label(place);
        break;
      case 4: // to the same place in the other mapping
        this.jump({ label: place, alias: true });
        this.label(place);
        break;
      default: // a jump back to anywhere, bounded
        this.#bounded();
        this.jump({ label: random.pick(this.names.entries), addend: random.oneIn(8) ? random.below(8) : 0 });
    }
  }

  /** Goes back to the caller when a counter in memory is used up, so that recursion ends. */
  #bounded(): void {
    const go = this.names.newLabel();
    const counter = this.#counter();
    this.put(plain(0xff, 0x0c, 0x25, ...counter)); // decl
    this.jump({ label: go }, 9); // jns
    if (this.random.oneIn(3))
      this.put(plain(0xc7, 0x04, 0x25, ...counter, ...bytesOf(BigInt(this.random.below(60)), 4)));
    this.put(plain(0xc3));
    this.label(go);
  }

  #return(): void {
    const { random } = this;
    if (!random.oneIn(this.#kit.character.crooked)) {
      this.put(random.oneIn(6) ? plain(0xf3, 0xc3) : plain(0xc3));
      return;
    }
    switch (random.below(5)) {
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
      default: // to another routine, and then to the caller
        this.#pushAddress({ label: random.pick(this.names.entries), alias: random.oneIn(3) });
        this.put(plain(0xc3));
    }
  }

  #body(most: number): void {
    for (let n = 1 + this.random.below(most); n > 0; n--) this.add();
  }

  #counter(): number[] {
    const address = addressOfPage(Page.TABLES) + Table.COUNTERS + 4 * this.random.below(Table.NR_COUNTERS);
    return bytesOf(BigInt(address), 4);
  }

  #pushAddress(target: Target): void {
    if (this.random.oneIn(2)) {
      this.put({ bytes: [0x68, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: false, target }] });
      return;
    }
    this.put(this.#loadAddress(0, target), plain(0x50));
  }

  /** mov or lea. */
  #loadAddress(register: number, target: Target): Item {
    switch (this.random.below(3)) {
      case 0:
        return {
          bytes: [0x48, 0x8d, 5 | (register << 3), 0, 0, 0, 0],
          fixups: [{ at: 3, size: 4, relative: true, target }],
        };
      case 1:
        return { bytes: [0xb8 | register, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: false, target }] };
      default:
        return {
          bytes: [0x48, 0xb8 | register, 0, 0, 0, 0, 0, 0, 0, 0],
          fixups: [{ at: 2, size: 8, relative: false, target }],
        };
    }
  }
}
