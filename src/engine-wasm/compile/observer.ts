// What the compiler tells about the regions that it has compiled, for dumps and for whoever looks at compiled
// code. The compiler calls it once a region, when there is somebody to call; otherwise it costs nothing.

import type { Callees } from '../interpret/locals.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import type { RegionNode } from './region.ts';

/** A region that has just been compiled. Records are addresses in memory 0 and valid during the call. */
export interface CompiledRegion {
  /** Head record of the block at the region's entry. */
  readonly head: number;
  /** Its nodes; the first one is the entry. */
  readonly nodes: readonly RegionNode[];
  /** The function, with a mark at the beginning of each record's code. */
  readonly code: FunctionBuilder;
  /** Functions that it calls. */
  readonly callees: Callees;
}

/** Is told of compiled regions. */
export interface CompileObserver {
  /** Called after the region has taken the place of its head, before it runs. */
  compiled(region: CompiledRegion): void;
}
