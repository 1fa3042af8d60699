// The statuses that `zendo` ends with. Scripts depend on them: README.md documents them, a new one needs a line there.
// Used by every command; tests/system checks them from outside.

/** Statuses of our own. A run that a signal ended has `signalStatus`. */
export const ExitStatus = {
  /** The guest powered off, or there was nothing to run (help, version). */
  OK: 0,
  /** Bad input, or a fault of ours; one line on standard error names it. */
  FAILED: 1,
  /** The command line makes no sense. */
  USAGE: 2,
  /** The guest crashed; a report is on standard error. */
  GUEST_CRASHED: 3,
  /** The time limit was hit. */
  TIMED_OUT: 4,
} as const;

/** Signals that end a run, and those that stand for a key or a closed pipe. Numbers of POSIX. */
export const SignalNumber = { SIGHUP: 1, SIGINT: 2, SIGPIPE: 13, SIGTERM: 15 } as const;

/** Status of a run that `signal` ended, as a shell would show it. */
export function signalStatus(signal: keyof typeof SignalNumber): number {
  return 128 + SignalNumber[signal];
}
