// The one lifecycle of every backend. The toolstack drives it: a device is started once its domain is built, paused and
// resumed with it, saved while paused, and destroyed with it or before. Each method's contract stands here only.

/** A device model of domain 0. `Saved` is plain data that survives structured cloning and JSON. */
export interface Device<Saved> {
  /** Begins to serve the guest. Once; or again after `reset`. */
  start(): void;
  /** Stops touching what the guest shares. What comes from outside meanwhile is kept. */
  pause(): void;
  /** Whether it has been paused and not resumed. */
  readonly paused: boolean;
  /** Goes on after `pause`. */
  resume(): void;
  /** Forgets the guest, as after a reboot: not started, nothing kept. */
  reset(): void;
  /** What is not in the guest's own memory. Only while paused. */
  save(): Saved;
  /** Takes over what `save` gave, of this device or another. Only before `start`. */
  restore(saved: Saved): void;
  /** Lets go of everything, in any state, any number of times. Nothing else may be called afterwards but has no effect if it is. */
  destroy(): void;
}
