// What every MMX instruction does around its own work: it checks for a pending x87 exception first and
// takes the x87 registers over last. Intel SDM vol. 1, section 9.5; vol. 3A, section 13.2.

import type { Row } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import type { Lowering } from '../lowering.ts';
import { isMmx, operandOf, registerOf } from '../sse/vector-operand.ts';

const BEGIN = opcodeOf('mmxbegin');
const END = opcodeOf('mmxend');
const WRITTEN = opcodeOf('mmxwritten');

/** Wraps a lowering when the row has an MMX operand; other rows keep it as it is. */
export function inMmxState(row: Row, lowering: Lowering): Lowering {
  const destination = operandOf(row, 0);
  if (!isMmx(destination)) return readingMmx(row, lowering);
  const register = registerOf(destination);
  return (b, i) => {
    b.op(BEGIN);
    lowering(b, i);
    if (destination.kind === 'Q' && i.isMemory) b.op(END);
    else b.op(WRITTEN, register(i));
  };
}

/** The same for a row that writes no MMX register. */
export function readingMmx(row: Row, lowering: Lowering): Lowering {
  if (!row.operands.some(isMmx)) return lowering;
  return (b, i) => {
    b.op(BEGIN);
    lowering(b, i);
    b.op(END);
  };
}
