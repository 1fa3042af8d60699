// The two kinds of error that are thrown: an operator's or the host's (VmmError) and our own bug
// (HypervisorBug). What a guest does wrong is never thrown: it is an errno or an injected fault.

/** What an operator is told: one line that names the object and says what to do. */
export class VmmError extends Error {
  /** Stable, machine-readable identifier such as `IMAGE_TRUNCATED`. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'VmmError';
    this.code = code;
  }
}

/** An invariant of ours is broken. Crashes the domain that was running, never the process. */
export class HypervisorBug extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'HypervisorBug';
  }
}

/** Reports a broken invariant. */
export function bug(what: string): never {
  throw new HypervisorBug(what);
}
