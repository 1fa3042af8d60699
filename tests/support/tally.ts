// A reporter for node's test runner that writes one JSON object: how many tests passed, and how many did not,
// for whatever reason. tests/run.ts adds these up.

import type { TestEvent } from 'node:test/reporters';

/** The outcome of one suite. */
export interface Tally {
  passed: number;
  failed: number;
}

/** Waits for the runner's overall summary. A test that was skipped, cancelled or put off did not pass. */
export default async function* tally(events: AsyncIterable<TestEvent>): AsyncGenerator<string, void> {
  for await (const event of events) {
    if (event.type === 'test:summary' && event.data.file === undefined) {
      const { passed, tests } = event.data.counts;
      const outcome: Tally = { passed, failed: tests - passed };
      yield JSON.stringify(outcome);
    }
  }
}
