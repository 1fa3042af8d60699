// The program behind `zendo`, run by bin/zendo under Node 24: joins the command line to this process and to the machine.

import { runCommandLine } from './command-line.ts';
import { runProgram } from './process-world.ts';

await runProgram((words, world) =>
  runCommandLine(words, world, async () => {
    const { startDomain } = await import('../host/index.ts');
    return startDomain;
  }),
);
