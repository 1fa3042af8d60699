// What an engine counts about its own work: always on, because none of it happens in code that is hot. Read by the
// run loop (instructions), by profiles and by tests.

/** Counters that only grow. */
export interface EngineCounters {
  /** Guest instructions retired, about: slow ones and the decoding of a block count for several. */
  instructions: number;
  /** Blocks decoded. */
  decodedBlocks: number;
  /** Frames whose decoded code was dropped because they were written. */
  invalidatedFrames: number;
  /** Transitions made without an exit: system calls from user mode, page faults given to the guest, returns. */
  systemCalls: number;
  pageFaults: number;
  returns: number;
  /** Flushes of the whole TLB that the hypervisor asked for. */
  tlbFlushes: number;
  /** Flushes that left kernel mode's translations of the upper half alone. */
  tlbLowerFlushes: number;
  /** Flushes of one page. */
  tlbPageFlushes: number;
  /** Regions compiled. */
  compiledRegions: number;
  /** Bytes of WebAssembly of the modules that were made for them. */
  compiledBytes: number;
  /** Time that running guests waited for the compiler, all of it and the longest piece, by the time stamp counter. */
  compileNs: number;
  longestCompileNs: number;
  /** Regions dropped because a frame of theirs was written. */
  droppedRegions: number;
  /** Times that all compiled code was dropped to make room, or all decoded code with it. */
  evictions: number;
  /** Regions dropped that way. */
  evictedRegions: number;
}

/** Counters at 0. */
export function createEngineCounters(): EngineCounters {
  return {
    instructions: 0,
    decodedBlocks: 0,
    invalidatedFrames: 0,
    systemCalls: 0,
    pageFaults: 0,
    returns: 0,
    tlbFlushes: 0,
    tlbLowerFlushes: 0,
    tlbPageFlushes: 0,
    compiledRegions: 0,
    compiledBytes: 0,
    compileNs: 0,
    longestCompileNs: 0,
    droppedRegions: 0,
    evictions: 0,
    evictedRegions: 0,
  };
}
