// Lowerings of the x87 instructions by mnemonic; see `../lowering.ts`.

import type { LoweringTable } from '../lowering.ts';

/** Factories by mnemonic. */
export const X87_LOWERINGS: LoweringTable = {};
