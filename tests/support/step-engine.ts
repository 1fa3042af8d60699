// The real engine with a hand on it: before each entry a function of the test sets registers and memory,
// then the engine runs what is at rip. Lets the scripted guests of `hypervisor-world.ts` use real page
// walks, a real TLB and real decoded code.

import { mfn } from '../../src/base/index.ts';
import { type Engine, Exit, type ExitReason, type VcpuContext } from '../../src/engine/index.ts';
import { createEngine } from '../../src/engine-wasm/index.ts';
import type { MachineMemory } from '../../src/machine/index.ts';

/** Instructions that an entry runs at most. */
const BUDGET = 20;

/** Makes the engine, which takes frame 1. @param step - returns SYSCALL to run the code at rip, anything else to run nothing */
export function createStepEngine(
  memory: MachineMemory,
  nowNs: () => number,
  step: (context: VcpuContext) => ExitReason,
): Engine {
  const engine = createEngine(memory, { readTsc: nowNs }, mfn(1));
  const enter = engine.enter.bind(engine);
  engine.enter = (context) => (step(context) === Exit.SYSCALL ? enter(context, BUDGET) : Exit.BUDGET);
  return engine;
}
