// Memory 0 holds many things at fixed offsets, added by many hands: no two of them may share a byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CPU_STATE_SIZE } from '../../engine/index.ts';
import {
  BLOCK_TABLE,
  BLOCK_TABLE_BITS,
  CODE_MAP,
  COUNTS,
  COUNTS_SIZE,
  LINKS,
  LINKS_SIZE,
  MAX_FRAMES,
  MEMORY0_SIZE,
  RECORDS,
  SWITCHES,
  SWITCHES_SIZE,
  Tlb,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_LOG,
  TLB_LOG_ENTRIES,
  USER_TLB,
  Word,
} from './layout.ts';

/** Bytes of the words that are not of 4. */
const WORD_BYTES: Partial<Record<keyof typeof Word, number>> = {
  SLOW_ADDRESS: 8,
  LINK_KEY: 8,
  SLOW_VALUE: 16,
  FX_IMAGE: 512,
};

/** Where the state of the active vCPU ends. */
const STATE_END = CPU_STATE_SIZE;

test('layout: nothing in memory 0 overlaps anything else', () => {
  const tlbBytes = TLB_ENTRIES * TLB_ENTRY_SIZE;
  const tlbs = Object.entries(Tlb).flatMap(([name, start]) => [
    { name: `kernel ${name}`, start, end: start + tlbBytes },
    { name: `user ${name}`, start: start + USER_TLB, end: start + USER_TLB + tlbBytes },
  ]);
  const words = Object.entries(Word).map(([name, start]) => ({
    name,
    start,
    end: start + (WORD_BYTES[name as keyof typeof Word] ?? 4), // a name of Word
  }));
  const parts = [
    { name: 'vCPU state', start: 0, end: STATE_END },
    ...words,
    ...tlbs,
    { name: 'counters', start: COUNTS, end: COUNTS + COUNTS_SIZE },
    { name: 'TLB log', start: TLB_LOG, end: TLB_LOG + 4 * TLB_LOG_ENTRIES },
    { name: 'code map', start: CODE_MAP, end: CODE_MAP + MAX_FRAMES },
    { name: 'block table', start: BLOCK_TABLE, end: BLOCK_TABLE + 8 * 2 ** BLOCK_TABLE_BITS },
    { name: 'links', start: LINKS, end: LINKS + LINKS_SIZE },
    { name: 'switches', start: SWITCHES, end: SWITCHES + SWITCHES_SIZE },
    { name: 'records', start: RECORDS, end: MEMORY0_SIZE },
  ].toSorted((a, b) => a.start - b.start);
  for (const [i, part] of parts.entries()) {
    const next = parts[i + 1];
    assert.ok(next === undefined || part.end <= next.start, `${part.name} and ${next?.name ?? ''}`);
  }
});
