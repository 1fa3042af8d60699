// Lowerings of the SSE and MMX instructions by mnemonic; see `../lowering.ts`.

import type { LoweringTable } from '../lowering.ts';

/** Factories by mnemonic. */
export const SSE_LOWERINGS: LoweringTable = {};
