// What the domain builder needs of the machine: the frames of a domain that exists, owns all its memory and
// has not run yet. The lifecycle code implements it over the control port of the hypervisor; tests implement
// it over an array. The builder itself never waits: what has to be asked for is asked before it starts.
import type { Maddr, Mfn, Port } from '../../base/index.ts';

/** A new domain, as the builder sees it. */
export interface BuilderPort {
  /** The domain's p2m: index is the pfn, value the mfn. Every frame is populated; mfns may be in any order. */
  readonly mfns: Uint32Array;
  /** The 4096 bytes of one of the domain's frames. What they hold is unspecified. */
  frame(mfn: Mfn): Uint8Array;
  /** Machine address of the shared info page, which is none of the domain's own frames. */
  readonly sharedInfo: Maddr;
  /** The domain's end of the event channel to xenstore; not 0. */
  readonly storePort: Port;
  /** The domain's end of the event channel to its console; not 0. */
  readonly consolePort: Port;
}
