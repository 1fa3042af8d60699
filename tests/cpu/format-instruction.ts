// A decoded instruction as text, for messages about failures: Intel's order of operands, registers by number where
// that is clear enough.

import type { Instruction } from '../../src/engine-wasm/decode/instruction.ts';
import type { Operand } from '../../src/engine-wasm/decode/row.ts';

const NAMES = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const BYTE_NAMES = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];

/** As `lock add dword [rbx+rcx*4+10h], eax`. */
export function formatInstruction(i: Instruction): string {
  const prefixes = [i.lock ? 'lock ' : '', i.repeat === 0xf3 ? 'rep ' : i.repeat === 0xf2 ? 'repne ' : ''].join('');
  const operands = i.row.operands.map((operand) => formatOperand(i, operand));
  return `${prefixes}${i.row.mnemonic.toLowerCase()} ${operands.join(', ')}`.trimEnd();
}

function formatOperand(i: Instruction, operand: Operand): string {
  switch (operand.kind) {
    case 'G':
      return register(i, i.reg, operand.size);
    case 'Z':
      return register(i, i.opcodeReg, operand.size);
    case 'E':
    case 'M':
    case 'R':
      return i.isMemory ? memory(i) : register(i, i.rm, operand.size);
    case 'W':
    case 'U':
      return i.isMemory ? memory(i) : `xmm${i.rm}`;
    case 'Q':
    case 'N':
      return i.isMemory ? memory(i) : `mm${i.rm & 7}`;
    case 'V':
      return `xmm${i.reg}`;
    case 'P':
      return `mm${i.reg & 7}`;
    case 'I':
    case 'J':
      return hex(BigInt(i.imm));
    case 'O':
      return `[${hex((BigInt(i.immHi) << 32n) | BigInt(i.imm >>> 0))}]`;
    case 'ST':
      return `st${i.modrm & 7}`;
    default:
      return operand.text.toLowerCase();
  }
}

function register(i: Instruction, n: number, size: string): string {
  const bits = size === 'b' ? 8 : size === 'w' ? 16 : size === 'd' ? 32 : size === 'q' ? 64 : i.operandSize;
  const name = NAMES[n];
  if (bits === 8) return name === undefined ? `r${n}b` : !i.rex || n < 4 ? (BYTE_NAMES[n] ?? '') : `${name}l`;
  if (name === undefined) return `r${n}${bits === 64 ? '' : bits === 32 ? 'd' : 'w'}`;
  return `${bits === 64 ? 'r' : bits === 32 ? 'e' : ''}${name}`;
}

function memory(i: Instruction): string {
  const prefix = i.addressSize === 64 ? 'r' : 'e';
  const name = (n: number): string => (NAMES[n] === undefined ? `r${n}` : `${prefix}${NAMES[n]}`);
  const terms = [
    ...(i.ripRelative ? ['rip'] : []),
    ...(i.base < 0 ? [] : [name(i.base)]),
    ...(i.index < 0 ? [] : [`${name(i.index)}*${1 << i.scale}`]),
  ];
  if (i.displacement !== 0 || terms.length === 0) terms.push(hex(BigInt(i.displacement)));
  const segment = i.segment === 4 ? 'fs:' : i.segment === 5 ? 'gs:' : '';
  return `${segment}[${terms.join('+').replaceAll('+-', '-')}]`;
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
