// Guest instructions as text, with the addresses at which the guest runs them. Decodes them once more: nothing that a
// dump needs is kept while guests run without one.

import type { MachineMemory } from '../../machine/index.ts';
import { createInstruction, decode, Decoded, MAX_INSTRUCTION_LENGTH } from '../decode/decode.ts';
import { disassemble } from '../decode/disassemble.ts';

const PAGE_SIZE = 4096;
const ADDRESS_DIGITS = 16;

/** One instruction. */
export interface GuestInstruction {
  /** Virtual address. u64 */
  readonly address: bigint;
  /** Bytes. */
  readonly length: number;
  /** Intel syntax. */
  readonly text: string;
}

/** The code of a page, and behind it the beginning of the frame that an instruction runs over into, if it does. */
export function codeBytes(machine: MachineMemory, frame: number, spill: number): Uint8Array {
  const bytes = new Uint8Array(spill < 0 ? PAGE_SIZE : PAGE_SIZE + MAX_INSTRUCTION_LENGTH);
  bytes.set(machine.u8.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE));
  if (spill >= 0)
    bytes.set(machine.u8.subarray(spill * PAGE_SIZE, spill * PAGE_SIZE + MAX_INSTRUCTION_LENGTH), PAGE_SIZE);
  return bytes;
}

/** The instruction at an offset of a page. @param page - its virtual address; @param bytes - of `codeBytes` */
export function instructionAt(bytes: Uint8Array, page: bigint, offset: number): GuestInstruction {
  const instruction = createInstruction();
  const outcome = decode(bytes, offset, bytes.length, offset, instruction);
  const text = outcome === Decoded.OK ? disassemble(instruction, page) : '(no instruction)';
  return { address: BigInt.asUintN(64, page + BigInt(offset)), length: instruction.length, text };
}

/** True when an address is one of an instruction's bytes. */
export function covers(instruction: GuestInstruction, address: bigint): boolean {
  return address >= instruction.address && address < instruction.address + BigInt(instruction.length);
}

/** False when no instruction that begins on a page has a byte at an address. */
export function mayHold(page: bigint, address: bigint): boolean {
  return BigInt.asUintN(64, address - page) < PAGE_SIZE + MAX_INSTRUCTION_LENGTH;
}

/** An address as dumps print it. */
export function addressText(address: bigint): string {
  return BigInt.asUintN(64, address).toString(16).padStart(ADDRESS_DIGITS, '0');
}

/** An instruction and its address. */
export function instructionText(instruction: GuestInstruction): string {
  return `${addressText(instruction.address)}  ${instruction.text}`;
}
