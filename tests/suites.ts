// What the test runner runs, suite by suite, in this order. A change must pass all of them; `npm run check` runs the
// first two. Read by tests/run.ts, and by tests/style, which sees to it that every test file belongs to one suite.

/** A program that must end with status 0. Counts as one test. */
export interface StepSuite {
  readonly kind: 'steps';
  readonly steps: readonly { readonly name: string; readonly command: readonly string[] }[];
}

/** Test files for node's test runner. */
export interface TestSuite {
  readonly kind: 'tests';
  /** Globs from the project's root. */
  readonly files: readonly string[];
  /** Each file in a process of its own, one after the other; otherwise all files share one process. */
  readonly isolated: boolean;
}

/** All suites by the name that tests/run.ts takes. */
export const suites: Readonly<Record<string, StepSuite | TestSuite>> = {
  check: {
    kind: 'steps',
    steps: [
      { name: 'types (tsc)', command: ['tsc', '-b'] },
      { name: 'lint (oxlint)', command: ['oxlint'] },
      { name: 'format (oxfmt)', command: ['oxfmt', '--check'] },
      { name: 'dead code (knip)', command: ['knip', '--no-progress'] },
    ],
  },
  style: { kind: 'tests', files: ['tests/style/**/*.test.ts'], isolated: false },
  unit: {
    kind: 'tests',
    files: ['src/**/*.test.ts', 'tests/support/**/*.test.ts', 'tests/cpu/**/*.test.ts', 'tests/bench/**/*.test.ts'],
    isolated: false,
  },
  guest: {
    kind: 'tests',
    files: ['tests/guest/**/*.test.ts', 'tests/golden/**/*.test.ts', 'tests/fuzz/**/*.test.ts'],
    isolated: true,
  },
  system: { kind: 'tests', files: ['tests/system/**/*.test.ts'], isolated: true },
};
