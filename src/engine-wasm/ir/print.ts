// Text of IR records, one line each: for golden tests, traces and dumps. Slots go by their names, a
// record's operands stand as `destination = operation sources`.

import { Cpu } from '../../engine/index.ts';
import { GENERAL_REGISTER_NAMES, SEGMENT_REGISTER_NAMES } from '../../x86/index.ts';
import { ExitCode } from './exit-code.ts';
import { operandUse } from './operand-use.ts';
import type { MemoryAccess, Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { type Field, Rec, RECORD_SIZE } from './record.ts';

const FIELDS: readonly Field[] = ['a', 'b', 'c', 'd'];

/** Text of one slot: a register's name, with the byte offset in it when that is not 0. */
export function slotName(slot: number): string {
  const banks: readonly (readonly [start: number, end: number, size: number, name: (n: number) => string])[] = [
    [Cpu.GPR, Cpu.ZERO, 8, (n) => GENERAL_REGISTER_NAMES[n]],
    [Cpu.ZERO, Cpu.CODE_PAGE, 8, () => 'zero'],
    [Cpu.CODE_PAGE, Cpu.FS_BASE, 8, () => 'page'],
    [Cpu.FS_BASE, Cpu.GS_BASE, 8, () => 'fsbase'],
    [Cpu.GS_BASE, Cpu.RIP, 8, () => 'gsbase'],
    [Cpu.SELECTOR, Cpu.KERNEL_MODE, 2, (n) => SEGMENT_REGISTER_NAMES[n] ?? `selector${n}`],
    [Cpu.TEMP, Cpu.X87, 8, (n) => `t${n}`],
    [Cpu.X87, Cpu.XMM, 16, (n) => `fp${n}`],
    [Cpu.XMM, Cpu.XTEMP, 16, (n) => `xmm${n}`],
    [Cpu.XTEMP, Cpu.XTEMP + 128, 16, (n) => `x${n}`],
  ];
  for (const [start, end, size, name] of banks) {
    if (slot < start || slot >= end) continue;
    const offset = (slot - start) % size;
    return name(Math.floor((slot - start) / size)) + (offset === 0 ? '' : `+${offset}`);
  }
  return `state+${hex(slot)}`;
}

/**
 * Text of the first records of a block.
 * @param bytes - packed records, as `IrBuilder.bytes`
 * @param nrRecords - how many
 */
export function printRecords(bytes: Uint8Array, nrRecords: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines: string[] = [];
  for (let n = 0; n < nrRecords; n++) lines.push(printRecord(view, n * RECORD_SIZE));
  return lines.join('\n');
}

interface Fields {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly imm: number;
}

function printRecord(view: DataView, at: number): string {
  const operation = OPERATIONS[view.getUint16(at + Rec.OPCODE, true)];
  const fields: Fields = {
    a: view.getUint16(at + Rec.A, true),
    b: view.getUint16(at + Rec.B, true),
    c: view.getUint16(at + Rec.C, true),
    d: view.getUint16(at + Rec.D, true),
    imm: view.getInt32(at + Rec.IMM, true),
  };
  if (operation === undefined) return 'unknown';
  if (operation.memory !== undefined) return memoryText(operation.name, operation.memory, fields);
  return operation.kind === 'control' ? controlText(operation.name, fields) : plainText(operation, fields);
}

function plainText(operation: Operation, fields: Fields): string {
  const use = operandUse(operation);
  const targets = FIELDS.filter((field) => use.writes.has(field)).map((field) => slotName(fields[field]));
  const sources = FIELDS.filter((field) => use.reads.has(field)).map((field) => slotName(fields[field]));
  for (const field of FIELDS) if (use.numbers.has(field)) sources.push(hex(fields[field]));
  if (use.usesImmediate) sources.push(hex(fields.imm));
  return `${targets.length === 0 ? '' : `${targets.join(', ')} = `}${operation.name} ${sources.join(', ')}`.trimEnd();
}

function memoryText(name: string, access: MemoryAccess, fields: Fields): string {
  const datum = slotName(fields.a);
  if (access.action === 'push') return `${name} ${datum}`;
  if (access.action === 'pop') return `${datum} = ${name}`;
  const index = access.indexed ? ` + ${slotName(fields.c)}${fields.d === 0 ? '' : ` << ${fields.d}`}` : '';
  const displacement = fields.imm === 0 ? '' : fields.imm < 0 ? ` - ${hex(-fields.imm)}` : ` + ${hex(fields.imm)}`;
  const address = `[${slotName(fields.b)}${index}${displacement}]`;
  const stores = access.action === 'store' || access.action === 'storeBack';
  return stores ? `${name} ${address} = ${datum}` : `${datum} = ${name} ${address}`;
}

function controlText(name: string, fields: Fields): string {
  const { a, b, c, d, imm } = fields;
  switch (name) {
    case 'jmpr':
      return `jmpr ${slotName(c)} (${b})`;
    case 'call':
      return `call ${hex(imm)}, return ${hex(a)} (${b})`;
    case 'callr':
      return `callr ${slotName(c)}, return ${hex(a)} (${b})`;
    case 'ret':
      return `ret ${imm} (${b})`;
    case 'exit':
      return `exit ${exitName(a)} ${hex(imm)}, next ${hex(c)}, d ${d} (${b})`;
    case 'string':
      return `string ${a}, bytes ${c}, repeat ${hex(d)}, detail ${hex(imm)} (${b})`;
    case 'helper':
      return `helper ${imm}, ${slotName(a)}, ${slotName(b)}, ${c}`;
    case 'nextpage':
      return `nextpage ${hex(imm)}`;
    case 'rdtsc':
      return name;
    default:
      return `${name} ${/^jn?z\d/.test(name) ? `${slotName(a)}, ` : ''}${hex(imm)} (${b})`;
  }
}

function exitName(code: number): string {
  const entry = Object.entries(ExitCode).find(([, value]) => value === code);
  return entry?.[0] ?? String(code);
}

function hex(value: number): string {
  return value < 0 ? `-${hex(-value)}` : value < 10 ? String(value) : `0x${value.toString(16)}`;
}
