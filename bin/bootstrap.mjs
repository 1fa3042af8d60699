// Gets from "a Node of 20 or newer" to "the project's own Node 24 with all packages installed". Everything
// that a user or npm starts comes through here: bin/zendo and, as `node bin/bootstrap.mjs FILE ARGS...`, the npm scripts.
// Plain JavaScript without imports beyond Node's own: it runs before anything of the project does.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The Node release line that the sources are written for: it runs TypeScript as it stands. */
const NODE_MAJOR = 24;

/** Signals that end a run. The child gets them too, so that it can put the terminal in order. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Root of the project, with links resolved. */
export const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));

/**
 * Runs a source file under Node 24: in this process when it is one, else in a child whose end becomes this
 * process's end. Installs the packages first when they are missing or do not match the lock file.
 * @param {string} file
 * @param {string[]} args
 * @returns {Promise<void>}
 */
export async function launch(file, args) {
  const problem = ensurePackages();
  if (problem !== undefined) {
    fail(problem);
  }
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) {
    process.argv = [process.execPath, file, ...args];
    await import(pathToFileURL(resolve(file)).href);
    return;
  }
  const node = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (!existsSync(node)) {
    fail(
      `no Node ${NODE_MAJOR} comes with the packages for ${process.platform}-${process.arch}, ` +
        `and this is Node ${process.versions.node}: install Node ${NODE_MAJOR} and run this again`,
    );
  }
  runChild(node, [file, ...args]);
}

/**
 * Installs the packages if need be.
 * @returns {string | undefined} what went wrong, in one line; undefined when all is well
 */
function ensurePackages() {
  if (packagesAreFresh()) {
    return undefined;
  }
  process.stderr.write('zendo: installing the node packages (npm ci) ...\n');
  const npm = spawnSync('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (npm.error !== undefined) {
    return `cannot run npm (${npm.error.message}): install npm, then run 'npm ci' in ${root}`;
  }
  // A full disk is only a warning to npm.
  if (npm.status !== 0 || npm.stderr.includes('ENOSPC') || !packagesAreFresh()) {
    const reason = npmReason(npm.stderr);
    rmSync(join(root, 'node_modules'), { recursive: true, force: true });
    return `npm ci failed (${reason}): check the network and the disk, then run 'npm ci' in ${root}`;
  }
  return undefined;
}

/**
 * Compares what npm noted about node_modules with the lock file. Optional packages may be absent: they
 * are for other platforms.
 * @returns {boolean}
 */
function packagesAreFresh() {
  const wanted = readPackages(join(root, 'package-lock.json'));
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (wanted === undefined || installed === undefined) {
    return false;
  }
  for (const [path, entry] of Object.entries(wanted)) {
    const have = installed[path];
    if (path !== '' && (have === undefined ? entry.optional !== true : have.version !== entry.version)) {
      return false;
    }
  }
  return true;
}

/**
 * @param {string} lockFile
 * @returns {Record<string, { version?: string, optional?: boolean }> | undefined}
 */
function readPackages(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return undefined; // missing or half-written: npm ci settles it
  }
}

/**
 * The line of npm's output that names the cause.
 * @param {string} output
 * @returns {string}
 */
function npmReason(output) {
  const lines = output
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!|warn|WARN) ?/, '').trim())
    .filter((line) => line !== '' && !/^(code|errno|syscall|A complete log|Unknown user config)\b/.test(line));
  return lines.find((line) => /E[A-Z]{4,}|rror/.test(line)) ?? lines[0] ?? 'no reason given';
}

/**
 * Signals go on to the child, which puts the terminal in order. A Ctrl-C in cooked mode reaches the child twice that way,
 * from the terminal and from here; the command line takes two within an instant for one.
 * @param {string} node
 * @param {string[]} args
 */
function runChild(node, args) {
  const child = spawn(node, args, { stdio: 'inherit' });
  for (const signal of FORWARDED) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on('exit', (status, signal) => {
    process.exit(signal === null ? status : 128 + constants.signals[signal]);
  });
}

/**
 * @param {string} line
 * @returns {never}
 */
function fail(line) {
  process.stderr.write(`zendo: ${line}\n`);
  process.exit(1);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  await launch(file, args);
}
