// What the pure layers ask of the world around them. The composition root passes the real ones,
// tests pass scripted ones.

/** Source of time. */
export interface Clock {
  /** Nanoseconds since an arbitrary fixed start; never goes back; a float64, exact below 2^53. */
  nowNs(): number;
  /** Milliseconds since 1970-01-01 UTC, with a fraction. */
  wallClockMs(): number;
}

/** Sink for log lines, without line ends. */
export interface Logger {
  info(line: string): void;
  warn(line: string): void;
}

/** Source of random numbers, uniform in [0, 2^32). */
export interface Random {
  nextU32(): number;
}
