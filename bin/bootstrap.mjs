// Gets from "a Node of 20 or newer" to "the project's own Node 24 with all packages installed". Everything
// that a user or npm starts comes through here: bin/zendo and, as `node bin/bootstrap.mjs FILE ARGS...`, the npm scripts.
// Plain JavaScript without imports beyond Node's own: it runs before anything of the project does.

import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import * as nodeModule from 'node:module';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The Node release line that the sources are written for: it runs TypeScript as it stands. */
const NODE_MAJOR = 24;

/** Signals that end a run. The child gets them too, so that it can put the terminal in order. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

/** Root of the project, with links resolved. */
export const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));

const MODULES = join(root, 'node_modules');

/** Where installations are prepared, each in a folder named after the process that does it. */
const INSTALLS = join(root, 'build');
const INSTALL_PREFIX = 'install-';
/** An installation that takes longer is taken for dead: its process number may belong to another program by now. */
const INSTALL_LIMIT_MS = 15 * 60_000;
const POLL_MS = 200;
/** Filling the compile cache takes a second or two. */
const WARM_LIMIT_MS = 30_000;

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
  // Types are taken out of the sources, and the sources compiled, once for all runs: two thirds of the start-up time.
  process.env['NODE_COMPILE_CACHE'] ??= join(MODULES, '.cache', 'compile');
  // glibc gives each thread an arena of its own and keeps what V8's compilers leave there: some 20 MiB. It reads this at its start.
  const isMallocSet = process.platform !== 'linux' || process.env['MALLOC_ARENA_MAX'] !== undefined;
  process.env['MALLOC_ARENA_MAX'] ??= '1';
  const isNodeNew = Number.parseInt(process.versions.node, 10) >= NODE_MAJOR;
  if (isNodeNew && isMallocSet) {
    warmCompileCache(process.execPath);
    nodeModule.enableCompileCache(process.env['NODE_COMPILE_CACHE']);
    process.argv = [process.execPath, file, ...args];
    await import(pathToFileURL(resolve(file)).href);
    return;
  }
  const node = isNodeNew ? process.execPath : join(MODULES, `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (!existsSync(node)) {
    fail(
      `no Node ${NODE_MAJOR} comes with the packages for ${process.platform}-${process.arch}, ` +
        `and this is Node ${process.versions.node}: install Node ${NODE_MAJOR} and run this again`,
    );
  }
  warmCompileCache(node);
  runChild(node, [file, ...args]);
}

/**
 * Fills the compile cache when it is not there yet. The first run would else take types out of all sources in both of its
 * threads, which costs it more memory than a guest's host is promised to need. Nothing depends on it: a failure is no error.
 * @param {string} node - a Node that runs the sources
 */
function warmCompileCache(node) {
  if (existsSync(process.env['NODE_COMPILE_CACHE'] ?? '') || !existsSync(join(root, 'src', 'host', 'index.ts'))) {
    return;
  }
  const sources = ['cli/run', 'host/index', 'hypervisor/index', 'engine-wasm/index'];
  const imports = sources.map(
    (name) => `await import(${JSON.stringify(pathToFileURL(join(root, 'src', `${name}.ts`)).href)});`,
  );
  spawnSync(node, ['--input-type=module', '--eval', imports.join('')], { stdio: 'ignore', timeout: WARM_LIMIT_MS });
}

/**
 * Installs the packages if need be. They are prepared in a folder of this process's own and then renamed into place, so
 * node_modules is complete at any time, however many processes do this at once and wherever one is killed.
 * @returns {string | undefined} what went wrong, in one line; undefined when all is well
 */
function ensurePackages() {
  if (packagesAreFresh(MODULES)) {
    return undefined;
  }
  const folder = join(INSTALLS, INSTALL_PREFIX + process.pid);
  try {
    waitForOthers(() => true);
    if (packagesAreFresh(MODULES)) {
      return undefined;
    }
    mkdirSync(folder, { recursive: true });
    waitForOthers((pid) => pid < process.pid); // of those that began at the same instant, one goes first
    return packagesAreFresh(MODULES) ? undefined : install(folder);
  } catch (error) {
    return `cannot install the node packages (${error.message}): mend that, then run this again`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @returns {string | undefined} what went wrong
 */
function install(folder) {
  process.stderr.write('zendo: installing the node packages (npm ci) ...\n');
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(join(root, name), join(folder, name));
  }
  const npm = spawnSync('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (npm.error !== undefined) {
    return `cannot run npm (${npm.error.message}): install npm, then run this again`;
  }
  const prepared = join(folder, 'node_modules');
  // A full disk is only a warning to npm.
  if (npm.status !== 0 || npm.stderr.includes('ENOSPC') || !packagesAreFresh(prepared)) {
    return `npm ci failed (${npmReason(npm.stderr)}): check the network and the disk, then run this again`;
  }
  try {
    if (existsSync(MODULES)) {
      renameSync(MODULES, join(folder, 'outdated'));
    }
    renameSync(prepared, MODULES);
  } catch (error) {
    if (!packagesAreFresh(MODULES)) {
      throw error;
    } // else another process was faster
  }
  return undefined;
}

/**
 * Waits until the installations that other processes are at are over, and clears away what killed ones left.
 * @param {(pid: number) => boolean} which - processes to wait for
 */
function waitForOthers(which) {
  for (let said = false; ; said = true) {
    const others = listInstalls().filter((pid) => pid !== process.pid && which(pid));
    if (others.length === 0) {
      return;
    }
    if (!said) {
      process.stderr.write('zendo: waiting for another zendo that installs the node packages ...\n');
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

/**
 * @returns {number[]} the processes that install packages
 */
function listInstalls() {
  const names = existsSync(INSTALLS) ? readdirSync(INSTALLS) : [];
  return names
    .filter((name) => name.startsWith(INSTALL_PREFIX))
    .map((name) => Number(name.slice(INSTALL_PREFIX.length)))
    .filter((pid) => {
      const folder = join(INSTALLS, INSTALL_PREFIX + pid);
      const isAlive =
        isRunning(pid) && Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0) < INSTALL_LIMIT_MS;
      if (!isAlive) {
        rmSync(folder, { recursive: true, force: true });
      }
      return isAlive;
    });
}

/**
 * @param {number} pid
 * @returns {boolean}
 */
function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM'; // it runs, but is somebody else's
  }
}

/**
 * Compares what npm noted about node_modules with the lock file. Optional packages may be absent: they
 * are for other platforms.
 * @param {string} folder - a node_modules
 * @returns {boolean}
 */
function packagesAreFresh(folder) {
  const wanted = readPackages(join(root, 'package-lock.json'));
  const installed = readPackages(join(folder, '.package-lock.json'));
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
  // The channel closes when this process is killed: so the child learns of it.
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
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
