// Packages by way of apt, which checks their signatures with the machine's own Debian keys. Works as root or
// not, with private lists and a private list of sources that is derived from the machine's; nothing of the
// system's configuration is changed, nothing is installed.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VmmError } from '../../base/index.ts';
import { deriveSources, readSources } from './apt-lists.ts';
import type { AptArchive } from './apt-lists.ts';
import type { FetchedPackage, PackageFile, PackageSource } from './package-source.ts';
import { progressBar } from './progress.ts';
import type { Progress } from './progress.ts';
import { hasCommand, runCommand } from './run-command.ts';
import type { CommandResult } from './run-command.ts';

const ETC_APT = '/etc/apt';
const POLL_MS = 150;
/** How long apt waits for a silent mirror; its own default is 120 s. */
const TIMEOUT_SECONDS = 30;
const OWN_FILES = 'name a kernel and a ramdisk with --kernel and --ramdisk';

/**
 * Opens apt as a source.
 * @param dir - scratch folder for lists and settings; gone when the task is done
 * @param signal - ends what apt is doing
 * @returns undefined when the machine has no apt, or none that knows a Debian archive
 */
export async function openAptSource(dir: string, signal?: AbortSignal): Promise<PackageSource | undefined> {
  if (!(await hasCommand('apt-get'))) return undefined;
  const sources = readSources(await systemLists());
  return sources.length === 0 ? undefined : new AptSource(dir, sources, signal);
}

/** What apt was set up with for one suite. */
interface Setup {
  /** Path of the configuration file. */
  readonly config: string;
  /** What went wrong with some of the archives; apt goes on without them. */
  readonly complaints: string;
}

class AptSource implements PackageSource {
  readonly #dir: string;
  readonly #sources: readonly AptArchive[];
  readonly #signal: AbortSignal | undefined;
  readonly #ready = new Map<string, Promise<Setup>>();

  constructor(dir: string, sources: readonly AptArchive[], signal: AbortSignal | undefined) {
    this.#dir = dir;
    this.#signal = signal;
    this.#sources = sources;
  }

  async resolve(names: readonly string[], suite: string): Promise<readonly PackageFile[]> {
    const { config, complaints } = await this.#update(suite);
    const policy = await this.#run('apt-cache', ['-c', config, 'policy', ...names]);
    const versions = names.map((name) => {
      const version = candidateOf(policy.stdout, name);
      if (version !== undefined) return version;
      if (complaints !== '') throw explainApt(complaints);
      throw new VmmError('FETCH_FAILED', `${suite} has no package ${name}: ${OWN_FILES}`);
    });
    const shown = await this.#run('apt-cache', [
      '-c',
      config,
      'show',
      ...names.map((name, i) => `${name}=${versions[i] ?? ''}`),
    ]);
    const records = shown.stdout.split(/\n\n+/);
    return names.map((name, i) => {
      const record = records.find((text) => text.startsWith(`Package: ${name}\n`));
      return { name, version: versions[i] ?? '', depends: readDepends(record ?? '') };
    });
  }

  async fetch(
    packages: readonly PackageFile[],
    suite: string,
    dir: string,
    progress: Progress,
  ): Promise<readonly FetchedPackage[]> {
    const { config } = await this.#update(suite);
    const wanted = packages.map(({ name, version }) => `${name}=${version}`);
    const uris = await this.#run('apt-get', ['-c', config, 'download', '--print-uris', '-q', ...wanted]);
    const files = [...uris.stdout.matchAll(/^'[^']*' (\S+) ([0-9]+) /gm)];
    const totalBytes = files.reduce((sum, [, , bytes]) => sum + Number(bytes), 0);
    const what = `fetching ${packages.length === 1 ? packages[0]?.name : `${packages.length} packages`}`;
    const timer = setInterval(() => {
      void folderBytes(dir).then((bytes) => progress(progressBar(what, bytes, totalBytes)));
    }, POLL_MS);
    try {
      await this.#run('apt-get', ['-c', config, 'download', '-q', ...wanted], dir);
    } finally {
      clearInterval(timer);
      progress('');
    }
    const names = await readdir(dir);
    return packages.map(({ name }) => {
      const file = names.find((candidate) => candidate.startsWith(`${name}_`) && candidate.endsWith('.deb'));
      if (file === undefined) throw new VmmError('FETCH_FAILED', `apt-get did not fetch ${name}: try again`);
      return { name, path: join(dir, file) };
    });
  }

  /** Fetches the lists of a suite once. */
  #update(suite: string): Promise<Setup> {
    let ready = this.#ready.get(suite);
    if (ready === undefined) {
      ready = this.#fetchLists(suite);
      this.#ready.set(suite, ready);
    }
    return ready;
  }

  async #fetchLists(suite: string): Promise<Setup> {
    const dir = join(this.#dir, `apt-${suite}`);
    await mkdir(join(dir, 'lists', 'partial'), { recursive: true });
    await mkdir(join(dir, 'cache', 'archives', 'partial'), { recursive: true });
    await writeFile(join(dir, 'sources.list'), deriveSources(this.#sources, suite));
    const config = join(dir, 'apt.conf');
    await writeFile(config, aptConfig(dir));
    const update = await this.#run('apt-get', ['-c', config, 'update', '-q']);
    return { config, complaints: update.stderr };
  }

  async #run(command: string, args: readonly string[], cwd = this.#dir): Promise<CommandResult> {
    const result = await runCommand(command, args, cwd, this.#signal);
    this.#signal?.throwIfAborted();
    if (result.status === 0) return result;
    throw explainApt(result.stderr);
  }
}

/** Settings read after the machine's own: private folders, no hooks that tidy the machine's folders. */
function aptConfig(dir: string): string {
  return [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    `Dir::Etc::sourcelist "${dir}/sources.list";`,
    'Dir::Etc::sourceparts "-";',
    `Dir::State::lists "${dir}/lists";`,
    `Dir::Cache "${dir}/cache";`,
    'Dir::Cache::pkgcache "pkgcache.bin";', // some machines have it off
    'Dir::Cache::srcpkgcache "srcpkgcache.bin";',
    'APT::Architecture "amd64";',
    'APT::Architectures "amd64";',
    'Acquire::Languages "none";',
    'APT::Get::List-Cleanup "false";',
    `Acquire::http::Timeout "${TIMEOUT_SECONDS}";`,
    `Acquire::https::Timeout "${TIMEOUT_SECONDS}";`,
    // The unprivileged user that apt would use as root cannot write to our folders.
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User "root";'] : []),
    '',
  ].join('\n');
}

/** The version that `apt-cache policy` would install. */
function candidateOf(policy: string, name: string): string | undefined {
  const paragraph = policy.split(/^(?=\S)/m).find((text) => text.startsWith(`${name}:\n`)) ?? '';
  const version = /^ {2}Candidate: (\S+)$/m.exec(paragraph)?.[1];
  return version === '(none)' ? undefined : version;
}

async function systemLists(): Promise<readonly { name: string; text: string }[]> {
  const names = ['sources.list'];
  for (const name of await readdir(join(ETC_APT, 'sources.list.d')).catch(() => [])) {
    names.push(join('sources.list.d', name));
  }
  const lists: { name: string; text: string }[] = [];
  for (const name of names) {
    const text = await readFile(join(ETC_APT, name), 'utf8').catch(() => ''); // often there is no sources.list
    lists.push({ name, text });
  }
  return lists;
}

function readDepends(record: string): readonly string[] {
  const line = /^Depends: (.*)$/m.exec(record)?.[1] ?? '';
  return line
    .split(',')
    .map((choice) => choice.trim().split(/[\s|(:]/)[0] ?? '')
    .filter((name) => name !== '');
}

function explainApt(stderr: string): VmmError {
  if (/no space left on device|not enough (free )?space/i.test(stderr)) {
    return new VmmError('CACHE_FULL', 'no room left for packages: free some space, or set XDG_CACHE_HOME', {
      cause: stderr,
    });
  }
  const lines = stderr.split('\n').filter((line) => /^[EW]: \S/.test(line));
  const reason = (lines[0] ?? stderr.trim().split('\n').at(-1) ?? '').replace(/^[EW]: /, '').trim();
  return new VmmError('FETCH_FAILED', `apt-get cannot fetch (${reason}): check the network, or ${OWN_FILES}`, {
    cause: stderr,
  });
}

/** Bytes of all files in a folder and one level below, where apt keeps what is on its way. */
async function folderBytes(dir: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(dir, { recursive: true }).catch(() => [])) {
    const info = await stat(join(dir, entry)).catch(() => undefined); // may just have been renamed
    if (info?.isFile() === true) bytes += info.size;
  }
  return bytes;
}
