// Lowerings of the general-purpose instructions by mnemonic; see `../lowering.ts`.

import type { LoweringTable } from '../lowering.ts';

/** Factories by mnemonic. */
export const INTEGER_LOWERINGS: LoweringTable = {};
