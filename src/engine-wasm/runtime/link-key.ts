// The key that ties links between compiled functions to the mappings under which they were made.

import type { EngineMemory } from './engine-memory.ts';
import { LINKS, LINKS_SIZE, Word } from './layout.ts';

/** One, in the upper 16 bits of the upper half of the key. */
const STEP = 0x10000;

/**
 * Makes all links hold nothing: to be called whenever a page may lie elsewhere, or compiled code goes. Their keys
 * have the number that counts here in their upper 16 bits; when it comes round, they are emptied one by one.
 */
export function cutLinks(memory: EngineMemory): void {
  cut(memory, Word.LINK_KEY);
  cut(memory, Word.USER_LINK_KEY);
}

/** The same for the links of user mode alone. */
export function cutUserLinks(memory: EngineMemory): void {
  cut(memory, Word.USER_LINK_KEY);
}

function cut(memory: EngineMemory, key: number): void {
  const word = (key >> 2) + 1;
  const next = (memory.u32[word] + STEP) >>> 0;
  memory.u32[word] = next === 0 ? STEP : next;
  if (next === 0) memory.u8.fill(0, LINKS, LINKS + LINKS_SIZE);
}
