// Runtime helpers of the integer instructions: 128-bit division, CRC32, flag words. A helper writes no
// register before it is sure not to report an exception.

import { Cpu, Gpr } from '../../engine/index.ts';
import type { NamedHelper } from './helper-table.ts';
import type { StateView } from './state.ts';

const DIVIDE_ERROR = 1; // 1 + vector 0
const RAX = (Cpu.GPR >> 3) + Gpr.RAX;
const RDX = (Cpu.GPR >> 3) + Gpr.RDX;

/** The reflected polynomial of CRC-32C. Intel SDM vol. 2A, CRC32. */
const CRC32C_POLYNOMIAL = 0x82f63b78;

/** Integer helpers in the order of their numbers. */
export const INTEGER_HELPERS: readonly NamedHelper[] = [
  ['div128', divideUnsigned],
  ['idiv128', divideSigned],
  ['crc32', crc32],
];

/** div: rdx:rax by the u64 at slot b; quotient to rax, remainder to rdx. */
function divideUnsigned(s: StateView, _a: number, b: number): number {
  const divisor = s.u64[b >> 3];
  if (divisor === 0n || s.u64[RDX] >= divisor) return DIVIDE_ERROR;
  const dividend = (s.u64[RDX] << 64n) | s.u64[RAX];
  s.u64[RAX] = dividend / divisor;
  s.u64[RDX] = dividend % divisor;
  return 0;
}

/** idiv: rdx:rax by the i64 at slot b. */
function divideSigned(s: StateView, _a: number, b: number): number {
  const divisor = BigInt.asIntN(64, s.u64[b >> 3]);
  if (divisor === 0n) return DIVIDE_ERROR;
  const dividend = (BigInt.asIntN(64, s.u64[RDX]) << 64n) | s.u64[RAX];
  const quotient = dividend / divisor;
  if (BigInt.asIntN(64, quotient) !== quotient) return DIVIDE_ERROR;
  s.u64[RAX] = BigInt.asUintN(64, quotient);
  s.u64[RDX] = BigInt.asUintN(64, dividend % divisor);
  return 0;
}

/** crc32: accumulates `bytes` bytes at slot b into the checksum at slot a, and clears the upper half of a. */
function crc32(s: StateView, a: number, b: number, bytes: number): number {
  let sum = s.u32[a >> 2];
  for (let n = 0; n < bytes; n++) {
    sum ^= s.u8[b + n];
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (CRC32C_POLYNOMIAL & -(sum & 1));
  }
  s.u32[a >> 2] = sum;
  s.u32[(a >> 2) + 1] = 0;
  return 0;
}
