// Runs a program of the machine and collects what it says. Used for Debian's package tools.
import { spawn } from 'node:child_process';
import { errorCode } from './cache.ts';

/** How a command ended. */
export interface CommandResult {
  /** Exit status; -1 when a signal ended it or it could not be started. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end, without standard input. Does not reject because of what the command does.
 * @param signal - ends the command
 */
export function runCommand(
  command: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal | undefined,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      ...(signal === undefined ? {} : { signal }),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' }, // its messages are looked at
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (error) => resolve({ status: -1, stdout, stderr: String(error) }));
    child.on('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
  });
}

/** Whether the machine has a command: starting it with `--version` works. */
export function hasCommand(command: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, ['--version'], { stdio: 'ignore' });
    child.on('error', (error) => resolve(errorCode(error) !== 'ENOENT' && errorCode(error) !== 'EACCES'));
    child.on('close', (status) => resolve(status === 0));
  });
}
