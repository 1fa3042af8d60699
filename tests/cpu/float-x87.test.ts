// Replays what a real CPU answered to random and edge operands of every x87 form; see float-recorder/.

import { test } from 'node:test';

import { assertAgrees, loadReplays } from './float-recorder/replay.ts';
import { X87_FORMS, x87Case } from './float-recorder/x87-cases.ts';

for (const replay of loadReplays('x87.bin', X87_FORMS, x87Case)) {
  test(`${replay.name}: agrees with the recorded CPU`, () => assertAgrees(replay));
}
