// The text of a profile: units, shares, and long tables cut short.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createEngineCounters } from '../engine/index.ts';
import type { ProfileReport, ProfileRow } from '../hypervisor/index.ts';
import { profileText } from './profile-text.ts';

const row = (name: string, count: number, ns: number, longestNs: number): ProfileRow => ({
  name,
  count,
  ns,
  longestNs,
});

const report: ProfileReport = {
  totalNs: 3e9,
  guestNs: 0.9e9,
  entries: 1_234_567,
  longestEntryNs: 12_300_000,
  loopNs: 10_000_000,
  domain0Ns: 2500,
  idleNs: 2e9,
  measuringNs: 0,
  exits: [row('hypercall', 1_234_000, 0.08e9, 999), row('exception', 567, 9_997_500, 45_600)],
  exceptions: [],
  hypercalls: [row('iret', 1_234_000, 0.08e9, 999)],
  multicallEntries: [],
  assists: [],
  upcalls: 17,
  details: { 'page walks': 1234 },
  engine: { ...createEngineCounters(), instructions: 90_000_000, compiledRegions: 3, compiledBytes: 4096 },
};

test('profile text: tables with counts, shares of the busy time and units', () => {
  const lines = profileText(report).split('\n');
  const at = lines.indexOf('engine');
  assert.deepEqual(
    lines.slice(0, at).map((line) => line.replaceAll(/ {2,}/g, '  ')),
    [
      'profile of 3.00 s, 1.00 s without idle time',
      '',
      'where the time went  count  share  time  share  each  longest',
      '  guest code  1,234,567  100.0%  900 ms  90.0%  729 ns  12.3 ms',
      '  hypercall  1,234,000  100.0%  80.0 ms  8.0%  65 ns  999 ns',
      '  exception  567  0.0%  10.0 ms  1.0%  17.6 us  45.6 us',
      '  run loop: timers, scheduling  10.0 ms  1.0%',
      '  requests of domain 0  2.5 us  0.0%',
      '  measuring  0 ns  0.0%',
      '',
      'hypercalls  count  share  time  share  each  longest',
      '  iret  1,234,000  100.0%  80.0 ms  8.0%  65 ns  999 ns',
      '',
    ],
  );
  assert.match(lines.join('\n'), /^ {2}guest instructions +90,000,000, 100\.0 MIPS in guest code$/m);
  assert.match(lines.join('\n'), /^ {2}page walks +1,234$/m);
  assert.match(lines.join('\n'), /^ {2}regions compiled +3, 4,096 bytes of WebAssembly$/m);
});

test('profile text: the columns are aligned', () => {
  const [heading = '', ...lines] = profileText(report).split('\n').slice(2, 5);
  for (const line of lines) assert.equal(line.length, heading.length);
});

test('profile text: what is beyond a table is added up', () => {
  const hypercalls = Array.from({ length: 45 }, (_, n) => row(`number ${n}`, 1, 1000 + n, 2000));
  assert.match(profileText({ ...report, hypercalls }), /^ {2}5 others +5 +11\.1% +5\.2 us +0\.0% +1\.0 us +2\.0 us$/m);
});

test('profile text: a machine on which nothing ran', () => {
  const text = profileText({ ...report, totalNs: 0, guestNs: 0, idleNs: 0, entries: 0, exits: [], hypercalls: [] });
  assert.doesNotMatch(text, /NaN|Infinity/);
});
