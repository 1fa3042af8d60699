// Instructions that only raise an exception.

import type { IrBuilder } from '../ir/builder.ts';
import { ExitCode } from '../ir/exit-code.ts';
import { opcodeOf } from '../ir/operations.ts';

const EXIT = opcodeOf('exit');
const INVALID_OPCODE = 6;

/** Ends the block with #UD at the current instruction. */
export function lowerUndefined(b: IrBuilder): void {
  lowerException(b, INVALID_OPCODE);
}

/** Ends the block with an exception at the current instruction; a #GP has error code 0. */
export function lowerException(b: IrBuilder, vector: number): void {
  b.leave(EXIT, ExitCode.EXCEPTION, b.nrInstructions, 0, 0, vector);
}
