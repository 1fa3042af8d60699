// Rows of the x87 instructions. The format is described in `table.ts`.

/** Lines of the instruction table. */
export const X87_ROWS: readonly string[] = [];
