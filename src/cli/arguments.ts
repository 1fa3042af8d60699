// The command line, from words to a command. Knows the syntax only: whether a file exists or memory suffices is found
// out by who uses it. Called by main.ts; a mistake comes back as a value, with the one line to show.

import { parseArgs } from 'node:util';
import { ENGINE_TIERS } from '../engine/index.ts';
import { parseDump } from './dump-place.ts';
import { parseMemorySize } from './memory-size.ts';
import { statsForms, traceKinds } from './ports.ts';
import type { DumpConfig, RunConfig, TraceKind } from './ports.ts';

/** What the user wants. `usage` is a mistake of theirs: `message` is one line without the program's name. */
export type Command =
  | { readonly kind: 'run'; readonly config: RunConfig; readonly options: RunOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'usage'; readonly message: string };

/** What concerns this process and not the domain. */
export interface RunOptions {
  /** Ends the run after so long; absent: never. */
  readonly timeoutMs?: number;
  /** Keeps notices and progress back. */
  readonly quiet: boolean;
}

const DEFAULT_MEMORY = '256M';
const MAX_VCPUS = 32;
/** Longest delay of a timer, 2^31 - 1 ms, in whole seconds. */
const MAX_TIMEOUT_SECONDS = 2_147_483;

/** Reads the words after the program's name. */
export function parseCommand(words: readonly string[]): Command {
  const [verb, ...rest] = words;
  switch (verb) {
    case undefined:
      return usage('a command is missing');
    case 'run':
      return parseRun(rest);
    case 'help':
    case '--help':
    case '-h':
      return { kind: 'help' };
    case 'version':
    case '--version':
    case '-V':
      return { kind: 'version' };
    default:
      return usage(`unknown command '${verb}'`);
  }
}

function parseRun(words: readonly string[]): Command {
  const parsed = splitOptions(words);
  if (typeof parsed === 'string') {
    return usage(parsed);
  }
  if (parsed.help) {
    return { kind: 'help' };
  }
  const memoryBytes = parseMemorySize(parsed.memory);
  if (memoryBytes === undefined) {
    return usage(`--memory takes a size such as 128, 128M or 1G, not '${parsed.memory}'`);
  }
  const vcpus = parseWhole(parsed.vcpus);
  if (vcpus === undefined || vcpus < 1 || vcpus > MAX_VCPUS) {
    return usage(`--vcpus takes a number from 1 to ${MAX_VCPUS}, not '${parsed.vcpus}'`);
  }
  if (!/^[A-Za-z0-9._+-]{1,64}$/.test(parsed.name)) {
    return usage(`--name takes up to 64 letters, digits and . _ + -, not '${parsed.name}'`);
  }
  const timeoutMs = parseTimeout(parsed.timeout);
  if (timeoutMs === 'bad') {
    return usage(`--timeout takes seconds, above 0 and up to ${MAX_TIMEOUT_SECONDS}, not '${parsed.timeout ?? ''}'`);
  }
  const trace = parseTrace(parsed.trace);
  if (typeof trace === 'string') {
    return usage(`--trace knows ${traceKinds.join(', ')}, not '${trace}'`);
  }
  const engineTier = ENGINE_TIERS.find((tier) => tier === parsed['engine-tier']);
  if (engineTier === undefined && parsed['engine-tier'] !== undefined) {
    return usage(`--engine-tier knows ${ENGINE_TIERS.join(', ')}, not '${parsed['engine-tier']}'`);
  }
  const stats = statsForms.find((form) => form === parsed.stats);
  if (stats === undefined && parsed.stats !== undefined) {
    return usage(`--stats knows ${statsForms.join(', ')}, not '${parsed.stats}'`);
  }
  const dumps = parseDumps(parsed);
  if (typeof dumps === 'string') {
    return usage(dumps);
  }
  for (const option of ['kernel', 'ramdisk'] as const) {
    if (parsed[option] === '') {
      return usage(`--${option} takes the name of a file`);
    }
  }
  return {
    kind: 'run',
    config: {
      ...(parsed.kernel !== undefined && { kernel: parsed.kernel }),
      ...(parsed.ramdisk !== undefined && { ramdisk: parsed.ramdisk }),
      ...(parsed.append !== undefined && { append: parsed.append }),
      memoryBytes,
      vcpus,
      name: parsed.name,
      trace,
      ...(engineTier !== undefined && { engineTier }),
      ...(stats !== undefined && { stats }),
      ...(dumps.length > 0 && { dumps }),
    },
    options: { quiet: parsed.quiet, ...(timeoutMs !== undefined && { timeoutMs }) },
  };
}

interface RunWords {
  readonly kernel?: string;
  readonly ramdisk?: string;
  readonly append?: string;
  readonly memory: string;
  readonly vcpus: string;
  readonly name: string;
  readonly timeout?: string;
  readonly trace: readonly string[];
  readonly 'engine-tier'?: string;
  readonly stats?: string;
  readonly 'dump-ir': readonly string[];
  readonly 'dump-wasm': readonly string[];
  readonly quiet: boolean;
  readonly help: boolean;
}

/** @returns the options as given, or the line that says what is wrong with them */
function splitOptions(words: readonly string[]): RunWords | string {
  try {
    return parseArgs({
      // the one option whose value may be left out
      args: words.map((word) => (word === '--stats' ? `--stats=${statsForms[0]}` : word)),
      allowPositionals: false,
      options: {
        kernel: { type: 'string' },
        ramdisk: { type: 'string' },
        append: { type: 'string' },
        memory: { type: 'string', default: DEFAULT_MEMORY },
        vcpus: { type: 'string', default: '1' },
        name: { type: 'string', default: 'guest' },
        timeout: { type: 'string' },
        trace: { type: 'string', multiple: true, default: [] },
        'engine-tier': { type: 'string' },
        stats: { type: 'string' },
        'dump-ir': { type: 'string', multiple: true, default: [] },
        'dump-wasm': { type: 'string', multiple: true, default: [] },
        quiet: { type: 'boolean', short: 'q', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return describeParseError(error);
  }
}

/** Node's messages go on with advice on positional arguments, of which there are none; the first sentence is enough. */
function describeParseError(error: unknown): string {
  if (!(error instanceof TypeError)) {
    throw error; // not about the words
  }
  const [sentence = ''] = error.message.split(/\.(?:\s|$)/);
  const line = sentence.charAt(0).toLowerCase() + sentence.slice(1).replaceAll('\n', ' ');
  const ambiguous = /^option '.*(--[a-z]+).*' argument is ambiguous$/.exec(line);
  return ambiguous === null ? line : `${line}: write ${ambiguous[1]}=VALUE when it starts with a dash`;
}

function parseWhole(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function parseTimeout(text: string | undefined): number | 'bad' | undefined {
  if (text === undefined) {
    return undefined;
  }
  const seconds = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  return seconds > 0 && seconds <= MAX_TIMEOUT_SECONDS ? seconds * 1000 : 'bad';
}

/** @returns the kinds, or the first word that is none */
function parseTrace(lists: readonly string[]): ReadonlySet<TraceKind> | string {
  const kinds = new Set<TraceKind>();
  for (const word of lists.flatMap((list) => list.split(','))) {
    const kind = traceKinds.find((known) => known === word.trim());
    if (kind === undefined) {
      return word;
    }
    kinds.add(kind);
  }
  return kinds;
}

/** @returns the dumps, or the line that says what is wrong */
function parseDumps(parsed: RunWords): readonly DumpConfig[] | string {
  const dumps: DumpConfig[] = [];
  for (const form of ['ir', 'wasm'] as const) {
    const option = `dump-${form}` as const;
    for (const word of parsed[option]) {
      const dump = parseDump(form, word);
      if (typeof dump === 'string') return `--${option} ${dump}`;
      dumps.push(dump);
    }
  }
  if (parsed['engine-tier'] === 'interpreter' && parsed['dump-wasm'].length > 0)
    return 'with --engine-tier interpreter nothing is compiled: leave out --dump-wasm';
  return dumps;
}

function usage(message: string): Command {
  return { kind: 'usage', message };
}
