// Replays what a real CPU answered to random and edge operands of every sse form; see float-recorder/.

import { test } from 'node:test';

import { assertAgrees, loadReplays } from './float-recorder/replay.ts';
import { SSE_FORMS, sseCase } from './float-recorder/sse-cases.ts';

for (const replay of loadReplays('sse.bin', SSE_FORMS, sseCase)) {
  test(`${replay.name}: agrees with the recorded CPU`, () => assertAgrees(replay));
}
