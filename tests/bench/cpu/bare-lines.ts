// The computing lines of the bench on an engine alone: loads their ELF file into a bare machine and calls them one by
// one. Used by tests/bench/bare.ts.

import { Exit, Gpr } from '../../../src/engine/index.ts';
import type { BareMachine } from '../../support/bare-machine.ts';

const PAGE = 4096;
/** One page whose only byte is `hlt`: where lines return to. */
const RETURN = 0x100000;
const STACK_TOP = 0x70000000;
const STACK_PAGES = 64;
const HLT = 0xf4;
/** Instructions between two looks at whatever a hypervisor would look at. */
const BUDGET = 1_000_000;

/** ELF-64 header and program header. Source: System V ABI, chapters 4 and 5. */
const Ehdr = { ENTRY: 24, PHOFF: 32, PHNUM: 56 } as const;
const Phdr = { TYPE: 0, FLAGS: 4, OFFSET: 8, VADDR: 16, FILESZ: 32, MEMSZ: 40, SIZE: 56 } as const;
const PT_LOAD = 1;

/** Fields of struct line, in cpu/program/compute.h. */
const Line = { NAME: 0, OP: 8, OPS: 16, VALUE: 24, RUN: 32, SIZE: 40 } as const;

/** One line, ready to be called. */
export interface BareLine {
  readonly name: string;
  readonly op: string;
  readonly opsPerUnit: number;
  /** Does units of work; fails unless they have computed what they should. */
  run(units: number): void;
}

/** Loads the program. @param file - what `buildBareProgram` has made */
export function loadBareLines(machine: BareMachine, file: Buffer): BareLine[] {
  const memory = new ProgramMemory(machine);
  const number = (at: number): number => Number(file.readBigUInt64LE(at));
  for (let i = 0; i < file.readUInt16LE(Ehdr.PHNUM); i++) {
    const at = number(Ehdr.PHOFF) + i * Phdr.SIZE;
    if (file.readUInt32LE(at + Phdr.TYPE) !== PT_LOAD) continue;
    const offset = number(at + Phdr.OFFSET);
    memory.load(
      number(at + Phdr.VADDR),
      number(at + Phdr.MEMSZ),
      file.subarray(offset, offset + number(at + Phdr.FILESZ)),
    );
  }
  memory.load(RETURN, 1, Uint8Array.of(HLT));
  memory.load(STACK_TOP - STACK_PAGES * PAGE, STACK_PAGES * PAGE, new Uint8Array(0));
  const lines: BareLine[] = [];
  for (let at = number(Ehdr.ENTRY); memory.u64(at + Line.NAME) !== 0n; at += Line.SIZE) {
    const name = memory.text(Number(memory.u64(at + Line.NAME)));
    const value = memory.u64(at + Line.VALUE);
    const entry = memory.u64(at + Line.RUN);
    lines.push({
      name,
      op: memory.text(Number(memory.u64(at + Line.OP))),
      opsPerUnit: Number(BigInt.asUintN(32, memory.u64(at + Line.OPS))),
      run: (units) => call(machine, memory, { name, entry, units, value }),
    });
  }
  return lines;
}

function call(
  machine: BareMachine,
  memory: ProgramMemory,
  { name, entry, units, value }: { name: string; entry: bigint; units: number; value: bigint },
): void {
  const stack = STACK_TOP - 8;
  memory.write(stack, RETURN);
  machine.set({ RSP: BigInt(stack), RDI: BigInt(units) });
  machine.vcpu.state.rip = entry;
  let reason: number = Exit.BUDGET;
  while (reason === Exit.BUDGET) reason = machine.engine.enter(machine.vcpu, BUDGET);
  const { state } = machine.vcpu; // not before: a context that becomes the active one has another
  if (state.rip !== BigInt(RETURN)) throw new Error(`${name}: stopped at 0x${state.rip.toString(16)}, exit ${reason}`);
  const expected = BigInt.asUintN(64, value * BigInt(units));
  const got = state.gpr[Gpr.RAX] ?? 0n;
  if (got !== expected)
    throw new Error(`${name}: computed 0x${got.toString(16)} instead of 0x${expected.toString(16)}`);
}

/** Pages of the machine by their address in the program. */
class ProgramMemory {
  readonly #machine: BareMachine;
  readonly #frames = new Map<number, number>();

  constructor(machine: BareMachine) {
    this.#machine = machine;
  }

  /** Maps the pages of a segment and fills them. */
  load(address: number, bytes: number, data: Uint8Array): void {
    for (let page = address - (address % PAGE); page < address + bytes; page += PAGE) {
      if (!this.#frames.has(page)) this.#frames.set(page, this.#machine.map(page));
    }
    for (const [i, byte] of data.entries()) this.#machine.memory.u8[this.#at(address + i)] = byte;
  }

  u64(address: number): bigint {
    return this.#machine.memory.view.getBigUint64(this.#at(address), true);
  }

  write(address: number, value: number): void {
    this.#machine.memory.view.setBigUint64(this.#at(address), BigInt(value), true);
  }

  text(address: number): string {
    let text = '';
    for (let at = address; ; at++) {
      const code = this.#machine.memory.u8[this.#at(at)] ?? 0;
      if (code === 0) return text;
      text += String.fromCharCode(code);
    }
  }

  #at(address: number): number {
    const frame = this.#frames.get(address - (address % PAGE));
    if (frame === undefined) throw new Error(`the program has nothing at 0x${address.toString(16)}`);
    return frame * PAGE + (address % PAGE);
  }
}
