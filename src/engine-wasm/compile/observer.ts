// What the compiler tells about the regions that it has compiled, for dumps and for whoever looks at compiled
// code. The compiler calls it once a region, when there is somebody to call; otherwise it costs nothing.

import type { FunctionBuilder } from '../wasm/function-builder.ts';

/** A region that has just been compiled. Records are addresses in memory 0 and valid during the call. */
export interface CompiledRegion {
  /** Head record of the block at the region's entry. The state block's CODE_PAGE is the address of its page. */
  readonly head: number;
  /** Frames with code of the region, and how far their pages are from the entry's, in bytes. */
  readonly pages: readonly { readonly distance: number; readonly frame: number }[];
  /** The function. A mark stands at the beginning of each record's code, with the record; 0 marks the end of the last one. */
  readonly code: FunctionBuilder;
  /** Names of the functions that it can call, by index. */
  readonly calls: readonly string[];
}

/** Is told of compiled regions. */
export interface CompileObserver {
  /** Called after the region has taken the place of its head, before it runs. */
  compiled(region: CompiledRegion): void;
}
