// The TLBs and the log of what was filled, below the engine.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Access, Cpu } from '../../engine/index.ts';
import { createMachineMemory } from '../../machine/index.ts';
import { buildInterpreter, type InterpreterExports } from '../interpret/interpreter.ts';
import { OPERATIONS } from '../ir/operations.ts';
import { IMPORT_MODULE } from '../wasm/module-builder.ts';
import { EngineMemory } from './engine-memory.ts';
import { TLB_LOG_ENTRIES, Word } from './layout.ts';
import { Translation } from './translation.ts';

const ADDRESS = 0x5000;
const NR_TABLES = 4;
const FLAGS = 7; // P, RW, US

function refuse(): never {
  assert.fail('not called by a walk');
}

/** TLBs over tables in frames 1 to 4 that map one page to frame 5. */
function world(): { memory: EngineMemory; translation: Translation; unmap: () => void } {
  const memory = new EngineMemory();
  const machine = createMachineMemory(16);
  const names = ['crossingLoad', 'crossingLoadForWrite', 'crossingStore', 'codeWritten', 'helper', 'string'];
  const imports = Object.fromEntries([...names, 'readTsc'].map((name) => [name, refuse]));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(buildInterpreter(OPERATIONS, 1, false)), {
    [IMPORT_MODULE]: { ...imports, state: memory.memory, machine: machine.memory },
  });
  const { walk } = instance.exports as unknown as InterpreterExports; // what `buildInterpreter` exports
  const translation = new Translation(memory);
  translation.connect((address, access) => walk(address, access));
  for (let table = 1; table < NR_TABLES; table++) machine.u32[table * 1024] = (table + 1) * 4096 + FLAGS;
  const leaf = (NR_TABLES * 4096 + (ADDRESS / 4096) * 8) / 4;
  machine.u32[leaf] = 5 * 4096 + FLAGS;
  memory.u32[Cpu.KERNEL_MODE >> 2] = 1;
  memory.u32[Cpu.KERNEL_ROOT >> 2] = 4096;
  return { memory, translation, unmap: () => (machine.u32[leaf] = 0) };
}

test('translation: a flush forgets everything however many entries were filled before it', () => {
  for (const filled of [0, TLB_LOG_ENTRIES - 1, TLB_LOG_ENTRIES, TLB_LOG_ENTRIES + 1, 0xffff_fffe, 0xffff_ffff]) {
    const { memory, translation, unmap } = world();
    memory.u32[Word.TLB_LOG_COUNT >> 2] = filled;
    assert.equal(translation.translate(ADDRESS, Access.WRITE), 5 * 4096);
    unmap();
    assert.equal(translation.translate(ADDRESS, Access.WRITE), 5 * 4096, 'from the TLB');
    translation.flush();
    assert.equal(translation.translate(ADDRESS, Access.WRITE), -1, `after ${filled} entries`);
  }
});
