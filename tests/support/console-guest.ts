// A scripted guest of the console backend: writes output into its ring page and reads input from it, the way a frontend
// does, under the test's control. Used by the tests of src/backends/console.

import { XENCONS_IN_SIZE, XENCONS_INTERFACE, XENCONS_OUT_SIZE } from '../../src/abi/index.ts';
import { sharedPage } from '../../src/base/index.ts';
import type { SharedPage } from '../../src/base/index.ts';

/** The frontend of one console. */
export class ConsoleGuest {
  readonly page: SharedPage = sharedPage(new SharedArrayBuffer(4096), 0);
  /** How often the backend notified it. */
  notified = 0;

  /** Value of an index. */
  field(name: keyof typeof XENCONS_INTERFACE): number {
    return Atomics.load(this.page.words, XENCONS_INTERFACE[name] / 4) >>> 0;
  }

  /** Overwrites an index. */
  setField(name: keyof typeof XENCONS_INTERFACE, value: number): void {
    Atomics.store(this.page.words, XENCONS_INTERFACE[name] / 4, value | 0);
  }

  /** Puts output into the ring as far as it fits; returns how many bytes. */
  print(bytes: Uint8Array): number {
    const prod = this.field('out_prod');
    const count = Math.min(bytes.length, XENCONS_OUT_SIZE - ((prod - this.field('out_cons')) >>> 0));
    for (let i = 0; i < count; i++) {
      this.page.bytes[XENCONS_INTERFACE.out + ((prod + i) % XENCONS_OUT_SIZE)] = bytes[i]!; // below its length
    }
    this.setField('out_prod', prod + count);
    return count;
  }

  /** Takes the input that is in the ring, at most `limit` bytes of it. */
  read(limit = Infinity): number[] {
    const bytes: number[] = [];
    let cons = this.field('in_cons');
    for (; cons !== this.field('in_prod') && bytes.length < limit; cons = (cons + 1) >>> 0) {
      bytes.push(this.page.bytes[XENCONS_INTERFACE.in + (cons % XENCONS_IN_SIZE)]!); // masked
    }
    this.setField('in_cons', cons);
    return bytes;
  }
}
