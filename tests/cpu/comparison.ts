// Compares an outcome with the recorded one, field by field, and says in words what differs. What the manual
// leaves undefined, and where we differ on purpose, is taken out first; see `deviations.ts`.

import { GENERAL_REGISTER_NAMES } from '../../src/x86/index.ts';
import { Fx, Outcome, WINDOWS } from './machine-layout.ts';

interface Field {
  readonly name: string;
  readonly at: number;
  readonly size: number;
}

const FIELDS: readonly Field[] = [
  ...GENERAL_REGISTER_NAMES.map((name, r) => ({ name, at: Outcome.GPR + 8 * r, size: 8 })),
  { name: 'rflags', at: Outcome.RFLAGS, size: 8 },
  { name: 'rip', at: Outcome.RIP, size: 8 },
  { name: 'vector', at: Outcome.VECTOR, size: 4 },
  { name: 'error code', at: Outcome.ERROR, size: 4 },
  { name: 'fault address', at: Outcome.ADDRESS, size: 8 },
  { name: 'fcw', at: Outcome.FX + Fx.FCW, size: 2 },
  { name: 'fsw', at: Outcome.FX + Fx.FSW, size: 2 },
  { name: 'ftw', at: Outcome.FX + Fx.FTW, size: 2 },
  { name: 'fop', at: Outcome.FX + Fx.FOP, size: 2 },
  { name: 'fip', at: Outcome.FX + Fx.FIP, size: 8 },
  { name: 'fdp', at: Outcome.FX + Fx.FDP, size: 8 },
  { name: 'mxcsr', at: Outcome.FX + Fx.MXCSR, size: 4 },
  ...Array.from({ length: 8 }, (_, i) => ({ name: `st${i}`, at: Outcome.FX + Fx.ST + 16 * i, size: 10 })),
  ...Array.from({ length: 16 }, (_, i) => ({ name: `xmm${i}`, at: Outcome.FX + Fx.XMM + 16 * i, size: 16 })),
  ...WINDOWS.flatMap(({ offset, size, at }) =>
    Array.from({ length: size / 16 }, (_, i) => ({
      name: `data+0x${(offset + 16 * i).toString(16)}`,
      at: Outcome.DATA + at + 16 * i,
      size: 16,
    })),
  ),
];

/** True when two outcomes are the same. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** One line for each field that differs. @param input - quiet outcome of the case, which has the input's values */
export function differences(input: Uint8Array, expected: Uint8Array, actual: Uint8Array): string[] {
  return FIELDS.filter((field) => value(field, expected) !== value(field, actual)).map(
    (field) =>
      `${field.name}: was ${value(field, input)}, expected ${value(field, expected)}, got ${value(field, actual)}`,
  );
}

/** The registers of a case's input. */
export function describeInput(input: Uint8Array): string {
  const registers = FIELDS.slice(0, 17).map((field) => `${field.name}=${value(field, input)}`);
  return registers.join(' ');
}

function value({ at, size }: Field, outcome: Uint8Array): string {
  return Buffer.from(outcome.subarray(at, at + size).toReversed())
    .toString('hex')
    .replace(/^0+(?=.)/, '');
}
