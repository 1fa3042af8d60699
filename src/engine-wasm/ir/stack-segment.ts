// Which memory accesses go through the stack segment: an address that is not canonical is #SS there, and #GP
// elsewhere. Asked only after such a fault. Intel SDM vol. 3A, section 6.15, interrupt 12; vol. 1, section 3.7.4.

import { Gpr } from '../../engine/index.ts';
import { opcodeOf, OPERATIONS } from './operations.ts';
import { gprSlot } from './slots.ts';

const CONTROL_OPCODES: readonly number[] = ['call', 'callr', 'ret'].map(opcodeOf);
const RSP = gprSlot(Gpr.RSP);
const RBP = gprSlot(Gpr.RBP);

/**
 * True when the access of a record defaults to the stack segment. With an FS or GS override, slot b is the segment's base.
 * @param opcode - of the record that faulted
 * @param slotB - its field b
 */
export function usesStackSegment(opcode: number, slotB: number): boolean {
  const access = OPERATIONS[opcode]?.memory;
  if (access === undefined) return CONTROL_OPCODES.includes(opcode);
  return access.action === 'push' || access.action === 'pop' || slotB === RSP || slotB === RBP;
}
