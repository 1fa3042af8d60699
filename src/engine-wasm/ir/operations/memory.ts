// Guest memory operations. What they do stands in `MemoryAccess`; the back ends emit the address
// translation around it. Every operation has a form without and, with the next number, a form with index.

import { M } from '../../wasm/instructions.ts';
import type { MemoryAccess, Operation } from '../operation.ts';

type Bytes = MemoryAccess['bytes'];
type Row = readonly [
  name: string,
  action: MemoryAccess['action'],
  bytes: Bytes,
  memoryCode: number,
  slotCode: number,
  aligned?: boolean,
];

const ROWS: readonly Row[] = [
  ['ld8', 'load', 1, M.i64Load8U, M.i64Store8],
  ['ld16', 'load', 2, M.i64Load16U, M.i64Store16],
  ['ld32', 'load', 4, M.i64Load32U, M.i64Store],
  ['ld64', 'load', 8, M.i64Load, M.i64Store],
  ['ld128', 'load', 16, M.v128Load, M.v128Store],
  ['ld128a', 'load', 16, M.v128Load, M.v128Store, true],
  // 4 or 8 bytes to a 16-byte slot, the rest cleared
  ['ldd128', 'load', 4, M.v128Load32Zero, M.v128Store],
  ['ldq128', 'load', 8, M.v128Load64Zero, M.v128Store],
  ['ldz8', 'load', 1, M.i64Load8U, M.i64Store],
  ['ldz16', 'load', 2, M.i64Load16U, M.i64Store],
  ['lds8_64', 'load', 1, M.i64Load8S, M.i64Store],
  ['lds16_64', 'load', 2, M.i64Load16S, M.i64Store],
  ['lds32_64', 'load', 4, M.i64Load32S, M.i64Store],
  ['lds8_32', 'load', 1, M.i32Load8S, M.i64Store],
  ['lds16_32', 'load', 2, M.i32Load16S, M.i64Store],
  ['ldw8', 'loadForWrite', 1, M.i64Load8U, M.i64Store],
  ['ldw16', 'loadForWrite', 2, M.i64Load16U, M.i64Store],
  ['ldw32', 'loadForWrite', 4, M.i64Load32U, M.i64Store],
  ['ldw64', 'loadForWrite', 8, M.i64Load, M.i64Store],
  ['ldw128', 'loadForWrite', 16, M.v128Load, M.v128Store],
  ['ldw128a', 'loadForWrite', 16, M.v128Load, M.v128Store, true],
  ['st8', 'store', 1, M.i64Store8, M.i64Load8U],
  ['st16', 'store', 2, M.i64Store16, M.i64Load16U],
  ['st32', 'store', 4, M.i64Store32, M.i64Load],
  ['st64', 'store', 8, M.i64Store, M.i64Load],
  ['st128', 'store', 16, M.v128Store, M.v128Load],
  ['st128a', 'store', 16, M.v128Store, M.v128Load, true],
  ['stw8', 'storeBack', 1, M.i64Store8, M.i64Load8U],
  ['stw16', 'storeBack', 2, M.i64Store16, M.i64Load16U],
  ['stw32', 'storeBack', 4, M.i64Store32, M.i64Load],
  ['stw64', 'storeBack', 8, M.i64Store, M.i64Load],
  ['stw128', 'storeBack', 16, M.v128Store, M.v128Load],
];

/** Memory operations, `push64`, `pop64` and the address computations. */
export function memoryOperations(): Operation[] {
  const list: Operation[] = [];
  const add = (name: string, memory: MemoryAccess): void => {
    list.push({ name, kind: 'memory', memory });
  };
  for (const [name, action, bytes, memoryCode, slotCode, aligned = false] of ROWS) {
    add(name, { action, bytes, indexed: false, memoryCode, slotCode, aligned });
    add(`${name}x`, { action, bytes, indexed: true, memoryCode, slotCode, aligned });
  }
  const push = { bytes: 8, indexed: false, memoryCode: M.i64Store, slotCode: M.i64Load, aligned: false } as const;
  add('push64', { action: 'push', ...push });
  add('pop64', {
    action: 'pop',
    bytes: 8,
    indexed: false,
    memoryCode: M.i64Load,
    slotCode: M.i64Store,
    aligned: false,
  });
  for (const [name, slotCode] of [
    ['lea16', M.i64Store16],
    ['lea32', M.i64Store],
    ['lea64', M.i64Store],
  ] as const) {
    const bytes = name === 'lea32' ? 4 : 8; // 4: the address is truncated to 32 bits
    add(name, { action: 'address', bytes, indexed: false, memoryCode: 0, slotCode, aligned: false });
    add(`${name}x`, { action: 'address', bytes, indexed: true, memoryCode: 0, slotCode, aligned: false });
  }
  return list;
}
