// Rows of the SSE and MMX instructions. The format is described in `table.ts`.

/** Lines of the instruction table. */
export const SSE_ROWS: readonly string[] = [];
