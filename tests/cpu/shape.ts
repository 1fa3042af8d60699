// The shape of one case: which of a row's forms it is, before it has operands. Shapes are dealt out in turn where
// coverage matters (operand size, register or memory) and at random where it does not.

import { SizeRule } from '../../src/engine-wasm/decode/row.ts';
import type { Operand, Row } from '../../src/engine-wasm/decode/row.ts';
import type { RandomSource } from './float-recorder/random-source.ts';

/** A form of a row. */
export interface Shape {
  /** Effective operand size in bits. */
  readonly operandSize: 16 | 32 | 64;
  /** Legacy prefixes in the order they are written. */
  readonly prefixes: number[];
  readonly w: boolean;
  /** A REX prefix is there even if nothing needs it. */
  readonly rex: boolean;
  readonly isMemory: boolean;
  readonly addressSize: 32 | 64;
  readonly segment: 0 | 4 | 5;
  /** The lock prefix is where it must not be. */
  readonly badLock: boolean;
}

const STRINGS = new Set(['MOVS', 'CMPS', 'STOS', 'LODS', 'SCAS']);
const IGNORED_SEGMENTS = [0x26, 0x2e, 0x36, 0x3e];

/** True for the string instructions. */
export function isString(row: Row): boolean {
  return STRINGS.has(row.mnemonic);
}

/** The operand that ModRM's r/m field names, if it has one. */
export function rmOperand(row: Row): Operand | undefined {
  return row.operands.find(({ kind }) => 'EMRWUQN'.includes(kind) && kind !== '');
}

/** Bytes of an operand's size letters. 0 when there is no size, 512 for an FXSAVE image. */
export function operandBytes(operand: Operand, operandSize: number, w: boolean): number {
  const fixed: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8, t: 10, x: 16, p: 10, s: 10, y: w ? 8 : 4 };
  if (operand.size === 'v') return operandSize >> 3;
  if (operand.size === 'z') return Math.min(operandSize >> 3, 4);
  return fixed[operand.size] ?? 0;
}

/** True when the operand size changes what the row does. */
export function isSized(row: Row): boolean {
  return row.sizeRule !== SizeRule.FORCE64 && row.operands.some(({ text }) => /[vzy]$|^r?AX$|^rAX$/.test(text));
}

/** Shape of case number `n` of a row. */
export function chooseShape(row: Row, n: number, random: RandomSource): Shape {
  const sizes = sizePrefixes(row);
  const [p66, w] = sizes[n % sizes.length] ?? [false, false];
  const prefixClass = classOf(row, random);
  const is66 = p66 || prefixClass === 1;
  const canBeMemory = row.hasModrm && row.mod !== 2;
  const isMemory = canBeMemory && (row.mod === 1 || Math.floor(n / sizes.length) % 2 === 1);
  const hasMemory =
    isMemory || isString(row) || row.operands.some(({ kind }) => kind === 'O') || /^(XLAT|MASKMOV)/.test(row.mnemonic);
  const badLock = random.oneIn(50) && !(row.lockable && isMemory) && !row.mnemonic.startsWith('NOP');
  const lock = badLock || (row.lockable && isMemory && random.oneIn(3));
  const segment = hasMemory ? random.pick([0, 0, 0, 0, 0, 0, 4, 5] as const) : 0;
  const addressSize = (hasMemory || /^(LOOP|JRCXZ)/.test(row.mnemonic)) && random.oneIn(4) ? 32 : 64;

  const prefixes: number[] = [];
  if (is66) prefixes.push(0x66);
  if (prefixClass === 2) prefixes.push(0xf3);
  if (prefixClass === 3) prefixes.push(0xf2);
  if (isString(row) && !random.oneIn(4)) prefixes.push(random.pick([0xf2, 0xf3]));
  if (/^(RET|JMP|CALL|J)/.test(row.mnemonic) && random.oneIn(8)) prefixes.push(random.pick([0xf2, 0xf3]));
  if (lock) prefixes.push(0xf0);
  if (random.oneIn(12)) prefixes.push(random.pick(IGNORED_SEGMENTS));
  if (segment !== 0) prefixes.push(segment === 4 ? 0x64 : 0x65);
  if (addressSize === 32) prefixes.push(0x67);
  shuffle(prefixes, random);
  const mandatory66 = row.namesPrefix && prefixClass === 1;
  return {
    operandSize:
      row.sizeRule === SizeRule.FORCE64 || w
        ? 64
        : is66 && !mandatory66
          ? 16
          : row.sizeRule === SizeRule.DEFAULT64
            ? 64
            : 32,
    prefixes,
    w,
    rex: random.oneIn(4),
    isMemory,
    addressSize,
    segment,
    badLock,
  };
}

/** Pairs of prefix 66 and REX.W that the cases of a row take turns with. */
function sizePrefixes(row: Row): (readonly [boolean, boolean])[] {
  const named66 = row.namesPrefix && (row.prefixes & 0b0010) !== 0;
  const sse = row.namesPrefix && row.operands.some(({ kind }) => 'VWUPQN'.includes(kind) && kind !== '');
  const canHave66 = !named66 && !sse && !(row.namesPrefix && row.prefixes === 0b0001);
  if (row.w >= 0) return [[false, row.w === 1]];
  if (isSized(row) || /^(CBW|CWD|PUSHF|POPF|ENTER|LEAVE)$/.test(row.mnemonic)) {
    const sizes: (readonly [boolean, boolean])[] = [
      [false, false],
      [false, true],
    ];
    if (canHave66) sizes.push([true, false], [false, false], [false, true], [true, true], [true, false]);
    return sizes;
  }
  // the size means nothing; a few cases have the prefixes all the same
  const plain: (readonly [boolean, boolean])[] = Array.from({ length: 10 }, () => [false, false] as const);
  plain.push([false, true]);
  if (canHave66 && row.map < 2) plain.push([true, false]);
  return plain;
}

/** A prefix class that the row is for: 0 none, 1 is 66, 2 is F3, 3 is F2. */
function classOf(row: Row, random: RandomSource): number {
  if (!row.namesPrefix) return 0;
  return random.pick([0, 1, 2, 3].filter((n) => ((row.prefixes >> n) & 1) !== 0));
}

function shuffle(list: number[], random: RandomSource): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const held = list[i];
    list[i] = list[j] ?? 0;
    list[j] = held ?? 0;
  }
}
