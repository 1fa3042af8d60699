// Runtime helpers of the integer instructions: 128-bit division, CRC32, flag words, wide compare and exchange. A helper writes no
// register before it is sure not to report an exception.

import { arithmeticFlags, ARITHMETIC_FLAGS, auxOfFlags, Cpu, Gpr, resultOfFlags, Rflags } from '../../engine/index.ts';
import type { NamedHelper } from './helper-table.ts';
import type { StateView } from './state.ts';

const DIVIDE_ERROR = 1; // 1 + vector 0
const RAX = (Cpu.GPR >> 3) + Gpr.RAX;
const RCX = (Cpu.GPR >> 3) + Gpr.RCX;
const RDX = (Cpu.GPR >> 3) + Gpr.RDX;
const RBX = (Cpu.GPR >> 3) + Gpr.RBX;

/** The reflected polynomial of CRC-32C. Intel SDM vol. 2A, CRC32. */
const CRC32C_POLYNOMIAL = 0x82f63b78;

/** Integer helpers in the order of their numbers. */
export const INTEGER_HELPERS: readonly NamedHelper[] = [
  ['div128', divideUnsigned],
  ['idiv128', divideSigned],
  ['crc32', crc32],
  ['readFlags', readFlags],
  ['writeFlags', writeFlags],
  ['lahf', loadFlagsToAh],
  ['sahf', storeAhToFlags],
  ['cmpxchg8b', compareExchange8],
  ['cmpxchg16b', compareExchange16],
];

/** What popf changes at CPL 3 with IOPL 0; IF, IOPL, VM, VIF and VIP stay, RF is cleared. Intel SDM vol. 2B, POPF. */
const POPF_SYSTEM_FLAGS = Rflags.TF | Rflags.DF | Rflags.NT | Rflags.AC | Rflags.ID;
const SAHF_FLAGS = Rflags.SF | Rflags.ZF | Rflags.AF | Rflags.PF | Rflags.CF;
const AH = Cpu.GPR + 1;

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

function currentFlags(s: StateView): number {
  return arithmeticFlags(s.u32[Cpu.FLAG_RESULT >> 2], s.u32[(Cpu.FLAG_RESULT >> 2) + 1], s.u32[Cpu.FLAG_AUX >> 2]);
}

function setCurrentFlags(s: StateView, flags: number): void {
  s.u32[Cpu.FLAG_RESULT >> 2] = resultOfFlags(flags);
  s.u32[(Cpu.FLAG_RESULT >> 2) + 1] = 0;
  s.u32[Cpu.FLAG_AUX >> 2] = auxOfFlags(flags);
}

/** pushf: RFLAGS without RF and VM to the 8 bytes at slot a. */
function readFlags(s: StateView, a: number): number {
  s.u32[a >> 2] = (currentFlags(s) | s.u32[Cpu.FLAG_SYSTEM >> 2] | Rflags.FIXED) & ~(Rflags.RF | Rflags.VM);
  s.u32[(a >> 2) + 1] = 0;
  return 0;
}

/** popf: the value at slot a to RFLAGS, as far as CPL 3 may; `bits` is the operand size. */
function writeFlags(s: StateView, a: number, _b: number, bits: number): number {
  const value = s.u32[a >> 2];
  setCurrentFlags(s, value & ARITHMETIC_FLAGS);
  const changed = bits === 16 ? POPF_SYSTEM_FLAGS & 0xffff : POPF_SYSTEM_FLAGS;
  const kept = s.u32[Cpu.FLAG_SYSTEM >> 2] & ~(changed | Rflags.RF);
  s.u32[Cpu.FLAG_SYSTEM >> 2] = kept | (value & changed);
  return 0;
}

function loadFlagsToAh(s: StateView): number {
  s.u8[AH] = (currentFlags(s) & SAHF_FLAGS) | Rflags.FIXED;
  return 0;
}

function storeAhToFlags(s: StateView): number {
  setCurrentFlags(s, (currentFlags(s) & Rflags.OF) | (s.u8[AH] & SAHF_FLAGS));
  return 0;
}

/** Sets ZF and leaves the other flags. */
function setZero(s: StateView, zero: boolean): void {
  const flags = currentFlags(s) & ~Rflags.ZF;
  setCurrentFlags(s, zero ? flags | Rflags.ZF : flags);
}

/** cmpxchg8b on the 8 bytes at slot a, which become what is to be stored. */
function compareExchange8(s: StateView, a: number): number {
  const at = a >> 2;
  const equal = s.u32[at] === s.u32[RAX * 2] && s.u32[at + 1] === s.u32[RDX * 2];
  if (equal) {
    s.u32[at] = s.u32[RBX * 2];
    s.u32[at + 1] = s.u32[RCX * 2];
  } else {
    s.u64[RAX] = BigInt(s.u32[at]);
    s.u64[RDX] = BigInt(s.u32[at + 1]);
  }
  setZero(s, equal);
  return 0;
}

/** cmpxchg16b on the 16 bytes at slot a. */
function compareExchange16(s: StateView, a: number): number {
  const at = a >> 3;
  const equal = s.u64[at] === s.u64[RAX] && s.u64[at + 1] === s.u64[RDX];
  if (equal) {
    s.u64[at] = s.u64[RBX];
    s.u64[at + 1] = s.u64[RCX];
  } else {
    s.u64[RAX] = s.u64[at];
    s.u64[RDX] = s.u64[at + 1];
  }
  setZero(s, equal);
  return 0;
}
