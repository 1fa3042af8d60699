// Reads and writes guest memory by guest address, before the guest runs: a guest's pfns are contiguous, the
// machine frames behind them are not. Used by all parts of the builder.
import { bug, mfn } from '../../base/index.ts';
import type { Mfn } from '../../base/index.ts';
import type { BuilderPort } from './ports.ts';

/** Size of a page in bytes. */
export const PAGE_SIZE = 4096;

/** Machine frame behind a pfn of the domain. */
export function frameOf(port: BuilderPort, pfn: number): Mfn {
  const raw = port.mfns[pfn];
  if (raw === undefined) bug(`pfn ${pfn} is not in the domain`);
  return mfn(raw);
}

/** The bytes of the page at `pfn`, set to zero. */
export function zeroedPage(port: BuilderPort, pfn: number): Uint8Array {
  return port.frame(frameOf(port, pfn)).fill(0);
}

/** Copies `data` to guest address `start` on. */
export function copyToGuest(port: BuilderPort, start: number, data: Uint8Array): void {
  eachPage(port, start, data.length, (page, from, length, done) => {
    page.set(data.subarray(done, done + length), from);
  });
}

/** Sets `length` bytes from guest address `start` on to zero. */
export function zeroGuest(port: BuilderPort, start: number, length: number): void {
  eachPage(port, start, length, (page, from, part) => {
    page.fill(0, from, from + part);
  });
}

/** Visits the pages of a range; `from` and `length` lie within the page, `done` counts the bytes before it. */
function eachPage(
  port: BuilderPort,
  start: number,
  size: number,
  visit: (page: Uint8Array, from: number, length: number, done: number) => void,
): void {
  for (let done = 0; done < size;) {
    const address = start + done;
    const from = address % PAGE_SIZE;
    const length = Math.min(PAGE_SIZE - from, size - done);
    visit(port.frame(frameOf(port, Math.floor(address / PAGE_SIZE))), from, length, done);
    done += length;
  }
}
