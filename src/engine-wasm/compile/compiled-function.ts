// What a compiled function consists of beside its code: its local variables, the functions that it calls, the registers
// that it uses.

import type { AccessCallees, AccessLocals } from '../interpret/memory-access.ts';
import type { GprUse } from './gpr-use.ts';
import type { VectorUse } from './vector-use.ts';

/** Local variables of a compiled function; the first three are its parameters. */
export interface CompiledLocals extends AccessLocals {
  readonly budget: number;
  /** Address of the entry's page. */
  readonly codePage: number;
  /** Calls of compiled functions that are under way. */
  readonly depth: number;
  readonly rip: number;
  /** Key of a link. */
  readonly key: number;
  /** Record of the indirect jump that goes through the region's switch, and the address of its page. */
  readonly jumpRecord: number;
  readonly jumpPage: number;
  readonly code: number;
}

/** Functions that compiled code calls. */
export interface CompilerCallees extends AccessCallees {
  /** (record, number of the helper) -> 0, or non-zero when it raised an exception. */
  readonly helper: number;
  /** (record) -> 0, or an exit code. */
  readonly string: number;
  /** () */
  readonly readTsc: number;
  /** See `addProbe`. */
  readonly probe: number;
  /** See `addLookup` and `addSettle`. */
  readonly lookup: number;
  readonly settle: number;
  /** Type of compiled functions. */
  readonly compiledType: number;
  /** Type of operations that are run out of line: (record, budget) -> 0, or the exit code to leave with. */
  readonly operationType: number;
}

/** What a region's records do with registers. */
export interface RegisterUse {
  readonly gprs: GprUse;
  readonly vectors: VectorUse;
}
