// A round of a run: what happens to the machine while no guest code runs, and for how long the guest runs then.
// Rounds are made in advance, so that leaving one out changes nothing about the others.

/** Something that is done to the machine between two entries, at the same point of both machines. */
export type Event =
  /** One byte of code changes behind the engine's back. `at` counts items. */
  | { readonly kind: 'patch'; readonly at: number; readonly value: number }
  /** Two code frames swap their contents. */
  | { readonly kind: 'swap-contents'; readonly a: number; readonly b: number }
  /** A page of code or an alias of it goes to another code frame. */
  | { readonly kind: 'remap'; readonly page: number; readonly frame: number }
  /** A page of code moves to another frame, where one byte is different. `at` counts bytes. */
  | {
      readonly kind: 'migrate';
      readonly page: number;
      readonly spare: number;
      readonly at: number;
      readonly value: number;
    }
  /** A page gets other rights, or goes. */
  | { readonly kind: 'protect'; readonly page: number; readonly how: 'absent' | 'read-only' | 'no-execute' | 'proper' }
  | { readonly kind: 'flush-tlb' }
  | { readonly kind: 'flush-page'; readonly page: number }
  /** Code of a frame is dropped although nothing has changed. */
  | { readonly kind: 'invalidate'; readonly frame: number }
  /** Accessed and dirty bits are cleared everywhere. */
  | { readonly kind: 'clear-accessed' }
  | { readonly kind: 'switch-vcpu' }
  | { readonly kind: 'switch-mode' }
  /** Registers change, as when a signal is delivered. */
  | { readonly kind: 'registers'; readonly seed: number }
  /** Control goes to an entry of the program. */
  | { readonly kind: 'go'; readonly entry: number; readonly alias: boolean }
  /** One instruction runs with a page mapped to a copy of it. */
  | { readonly kind: 'emulate'; readonly page: number }
  /** The hypervisor translates an address. */
  | { readonly kind: 'translate'; readonly page: number; readonly access: 0 | 1 | 2; readonly kernelMode: boolean };

/** A round. */
export interface Round {
  readonly events: readonly Event[];
  readonly budget: number;
}
