// rep movs and rep stos of random widths, lengths and places, with overlaps, page ends and a page that is not mapped,
// against a model that does one element after the other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BareMachine, CODE, DATA } from '../../../tests/support/bare-machine.ts';
import { Exit } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';

const PAGES = 5;
const HOLE = 3;
const SEED = 4711;
const ROUNDS = 1500;
const PREFIXES: Readonly<Record<number, string>> = { 1: '', 2: '66', 4: '', 8: '48' };

let state = SEED;
function random(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

/** Bytes of the pages as the guest sees them; frames lie in another order than pages. */
class Model {
  readonly machine: BareMachine = new BareMachine();
  readonly bytes: Uint8Array = new Uint8Array(PAGES * 4096);
  readonly #frames: number[] = [];

  constructor() {
    for (const page of [4, 1, 0, 2]) this.#frames[page] = this.machine.map(DATA + page * 4096);
    for (let i = 0; i < this.bytes.length; i++) this.bytes[i] = random(256);
    for (const [page, frame] of this.#frames.entries())
      if (page !== HOLE) this.machine.memory.u8.set(this.bytes.subarray(page * 4096, (page + 1) * 4096), frame * 4096);
  }

  /** True when all bytes of the machine are the model's. */
  get isEqual(): boolean {
    return this.#frames.every((frame, page) => {
      const real = Buffer.from(this.machine.memory.u8.slice(frame * 4096, frame * 4096 + 4096));
      return page === HOLE || real.equals(this.bytes.subarray(page * 4096, (page + 1) * 4096));
    });
  }

  /** Does elements until one touches the hole. @returns how many */
  run(from: number | undefined, to: number, width: number, count: number, value: bigint): number {
    for (let done = 0; done < count; done++) {
      const target = to + done * width;
      const source = from === undefined ? undefined : from + done * width;
      if (touchesHole(target, width) || (source !== undefined && touchesHole(source, width))) return done;
      const element = new Uint8Array(8);
      if (source === undefined) new DataView(element.buffer).setBigUint64(0, value, true);
      else element.set(this.bytes.subarray(source, source + width));
      this.bytes.set(element.subarray(0, width), target);
    }
    return count;
  }
}

function touchesHole(at: number, width: number): boolean {
  return at + width > HOLE * 4096 && at < (HOLE + 1) * 4096;
}

test(`string instructions: repeated moves and stores do what single ones would do (seed ${SEED})`, () => {
  const model = new Model();
  const m = model.machine;
  const widths = [1, 2, 4, 8] as const;
  const code = new Map<string, number>();
  for (const [n, width] of widths.entries()) {
    for (const isMove of [true, false]) {
      const opcode = (isMove ? 0xa4 : 0xaa) + (width === 1 ? 0 : 1);
      const at = CODE + n * 0x2000 + (isMove ? 0 : 0x1000);
      m.code(`${PREFIXES[width]} f3 ${opcode.toString(16)} cc`.replace(/^48 f3/, 'f3 48'), at);
      code.set(`${width}${isMove}`, at);
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    const width = widths[random(4)] ?? 1;
    const isMove = random(2) === 0;
    const most = random(3) === 0 ? 9000 : 150;
    const count = Math.floor(random(most) / width);
    const to = random(PAGES * 4096 - most);
    const near = Math.min(PAGES * 4096 - most, Math.max(0, to + random(40) - 20));
    const from = random(2) === 0 ? near : random(PAGES * 4096 - most);
    const value = random(3) === 0 ? 0n : BigInt(random(2 ** 32)) * 0x1_0000_0001n;
    m.set({ RCX: BigInt(count), RSI: BigInt(DATA + from), RDI: BigInt(DATA + to), RAX: value });
    m.vcpu.state.rip = BigInt(code.get(`${width}${isMove}`) ?? 0);
    const text = `round ${round}: ${count} of ${width} from ${isMove ? from : value} to ${to}`;
    assert.equal(m.run(), Exit.EXCEPTION, text);
    const done = model.run(isMove ? from : undefined, to, width, count, value);
    assert.equal(m.engine.exit.vector, done < count ? Vector.PF : Vector.BP, text);
    assert.equal(m.get('RCX'), BigInt(count - done), text);
    assert.equal(m.get('RDI'), BigInt(DATA + to + done * width), text);
    if (isMove) assert.equal(m.get('RSI'), BigInt(DATA + from + done * width), text);
    assert.ok(model.isEqual, text);
  }
});
