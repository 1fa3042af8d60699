// The process that the command line runs in, as a `World`. Used by main.ts, and by the tests that run the command line with a
// scripted domain on a real terminal.

import process from 'node:process';
import { ExitStatus } from './exit-status.ts';
import { describeError, Messages } from './messages.ts';
import type { World } from './world.ts';

/** Runs `program` in this process and leaves with its status. An error that nobody caught becomes one line and status 1. */
export async function runProgram(program: (words: readonly string[], world: World) => Promise<number>): Promise<never> {
  process.on('uncaughtException', (error) => fail(error));
  setInterval(() => undefined, 2 ** 30); // what the program waits for need not be anything that node counts as work
  process.exit(await program(process.argv.slice(2), processWorld()).catch(fail));
}

function fail(error: unknown): never {
  new Messages(process.stderr, { quiet: false }).error(describeError(error));
  process.exit(ExitStatus.FAILED); // node gives the terminal back as it was
}

function processWorld(): World {
  process.channel?.unref();
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    onSignal(signal, listener) {
      process.on(signal, listener);
      if (signal === 'SIGHUP') process.on('disconnect', listener); // the launcher was killed
    },
    nowMs: () => performance.now(),
    after(ms, action) {
      const timer = setTimeout(action, ms);
      return () => clearTimeout(timer);
    },
  };
}
