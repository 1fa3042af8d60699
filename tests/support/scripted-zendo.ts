// The `zendo` program with a scripted machine in place of the real one. Started as a process by tests/system.

import { runCommandLine } from '../../src/cli/command-line.ts';
import { runProgram } from '../../src/cli/process-world.ts';
import { scriptedMachine } from './scripted-domain.ts';

await runProgram((words, world) => runCommandLine(words, world, async () => scriptedMachine().startDomain));
