// Control records: jumps, calls, returns, exits to the hypervisor. The back ends emit them by name.
// Their columns are explained below.

import type { Operation } from '../operation.ts';
import { CONDITIONS } from './condition.ts';

//   jmp      b = instructions so far, imm = target relative to the code page, LINK
//   j<cc>    like jmp when the condition holds, else on to the next record
//   jz64 ..  like j<cc>, condition on slot a: zero / not zero
//   jmpr     b = instructions, c = slot of the target address
//   call     a = offset of the return address in the code page, b, imm, LINK as in jmp
//   callr    a as in call, b, c as in jmpr
//   ret      b = instructions, imm = bytes released beyond the return address
//   exit     a = exit code (`ExitCode`), b = instructions, c = offset of the next instruction in the code page, imm = detail
//   string   a = `StringOp` kind, b = instructions, c = element bytes, d = repeat prefix, imm = see `runtime/string.ts`
//   helper   imm = number of the runtime helper; a, b = its slots, c and d = its argument of 32 bits, c the low half
//   nextpage imm = machine frame that the following page must be; leaves to the dispatcher when it is not
//   rdtsc    eax and edx get the time stamp counter
//   head     first record of a block that is watched: imm = entries left until the block counts as hot
//   compiled in the place of a head: imm = number of the compiled function that runs the block

/** Names of the control operations that have a LINK. They come first in the table of operations. */
const LINKED_NAMES: readonly string[] = [
  'jmp',
  ...CONDITIONS.map((name) => `j${name}`),
  'jz64',
  'jnz64',
  'jz32',
  'jnz32',
  'call',
];

const OTHER_NAMES: readonly string[] = [
  'jmpr',
  'callr',
  'ret',
  'exit',
  'string',
  'helper',
  'nextpage',
  'rdtsc',
  'head',
  'compiled',
];

/** Number of `jmp`. */
export const JMP = 0;

/** True for the number of an operation whose record has a LINK. */
export function hasLink(opcode: number): boolean {
  return opcode < LINKED_NAMES.length;
}

/** Control operations; `OPERATIONS` begins with them. */
export function controlOperations(): Operation[] {
  return [...LINKED_NAMES, ...OTHER_NAMES].map((name) => ({ name, kind: 'control' }));
}
