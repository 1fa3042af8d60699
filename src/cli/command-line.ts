// The command line as a function: words in, exit status out. main.ts calls it with the real process and the real machine,
// tests with scripted ones.

import { parseCommand } from './arguments.ts';
import { ExitStatus } from './exit-status.ts';
import { helpText, readVersion } from './help.ts';
import { Messages } from './messages.ts';
import type { StartDomain } from './ports.ts';
import { runDomain } from './run.ts';
import type { World } from './world.ts';

/**
 * Does what `words`, the command line after the program's name, ask for.
 * @param loadMachine - called only when a domain is wanted, so that help needs no machine
 * @returns the exit status
 */
export async function runCommandLine(
  words: readonly string[],
  world: World,
  loadMachine: () => Promise<StartDomain>,
): Promise<number> {
  const command = parseCommand(words);
  switch (command.kind) {
    case 'help':
      return print(world, helpText);
    case 'version':
      return print(world, `zendo ${readVersion()}\n`);
    case 'usage':
      new Messages(world.stderr, { quiet: false }).error(`${command.message}; 'zendo help' shows what there is`);
      return ExitStatus.USAGE;
    case 'run':
      return runDomain(command.config, command.options, world, await loadMachine());
  }
}

/** Settles when the text is out, or cannot get out. A reader that left is no error. */
async function print(world: World, text: string): Promise<number> {
  const written = Promise.withResolvers<NodeJS.ErrnoException | null | undefined>();
  world.stdout.on('error', (error) => written.resolve(error));
  world.stdout.write(text, (error) => written.resolve(error));
  const error = await written.promise;
  if (error === null || error === undefined || error.code === 'EPIPE') return ExitStatus.OK;
  const line = `standard output cannot be written (${error.message}): send it elsewhere and try again`;
  new Messages(world.stderr, { quiet: false }).error(line);
  return ExitStatus.FAILED;
}
