// The join of a domain's two output streams.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConsoleOutput } from './console-output.ts';

function collect(output: ConsoleOutput): { text: string } {
  const got = { text: '' };
  output.attach((bytes) => {
    got.text += Buffer.from(bytes).toString('latin1');
  });
  return got;
}

test("console output: a line for the hypervisor's console waits for the end of the ring's line", async () => {
  const output = new ConsoleOutput();
  const got = collect(output);
  void output.write(Buffer.from('ring be'));
  output.writeNow(Buffer.from('hypervisor\n'));
  void output.write(Buffer.from('gins\n'));
  await output.drain();
  assert.equal(got.text, 'ring begins\nhypervisor\n');
});

test('console output: nothing is lost before somebody listens, and nothing when it ends within a line', async () => {
  const output = new ConsoleOutput();
  void output.write(Buffer.from('first'));
  output.writeNow(Buffer.from('second'));
  const got = collect(output);
  await output.drain();
  assert.equal(got.text, 'firstsecond');
});

test("console output: output for the hypervisor's console is bounded while the sink is busy", async () => {
  const output = new ConsoleOutput();
  const line = Buffer.alloc(1 << 16, 'x');
  for (let i = 0; i < 64; i++) output.writeNow(line);
  const got = collect(output);
  await output.drain();
  assert.equal(got.text.length, 1 << 20);
});
