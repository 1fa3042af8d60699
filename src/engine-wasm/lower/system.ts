// Lowerings of the system instructions by mnemonic; see `lowering.ts`.

import type { LoweringTable } from './lowering.ts';

/** Factories by mnemonic. */
export const SYSTEM_LOWERINGS: LoweringTable = {};
