// The symbol table that Linux carries in itself (kallsyms), for crash reports of stripped kernels. Its parts
// have no labels, so they are found by structure: a token table that a token index describes, before it the
// markers and the names they point into, and an array of offsets beside either. No kernel version is asked.
// Called after a guest crashed, with the kernel unpacked again; keeps copies of the tables only.
// Source: Linux scripts/kallsyms.c (what is written) and kernel/kallsyms.c (how it is read).
import { PT, readElf } from './elf64.ts';

/** A symbol and how far behind its start an address lies. */
export interface SymbolPlace {
  readonly name: string;
  readonly offset: number;
}

/** Symbols per marker. */
const GROUP = 256;
const NR_TOKENS = 256;
const MAX_SYMBOLS = 1 << 22;
/** The names are searched for no further before the markers than this for their last group. */
const MAX_GROUP_BYTES = GROUP * 512;
/** How far before the token table the markers may end; newer kernels had a table in between for a while. */
const MAX_MARKERS_GAP = 8 << 20;

/** Symbols of one kernel by address. */
export class Kallsyms {
  readonly #tables: Tables;
  readonly #base: bigint;
  /** Distances from the base in ascending order; absolute symbols are left out. */
  readonly #distances: Float64Array;
  /** Index into the names for each distance. */
  readonly #order: Uint32Array;

  /** @param tables - found by `findKallsyms` */
  constructor(tables: Tables) {
    this.#tables = tables;
    this.#base = tables.base;
    const kept: number[] = [];
    for (let i = 0; i < tables.distances.length; i++) {
      if (!Number.isNaN(tables.distances[i])) kept.push(i);
    }
    this.#order = Uint32Array.from(kept);
    this.#distances = Float64Array.from(kept, (i) => tables.distances[i] ?? 0);
  }

  /** Number of symbols with an address in the kernel. */
  get size(): number {
    return this.#order.length;
  }

  /** Names the symbol at or before `address`; undefined before the first, or far behind the last. */
  lookup(address: bigint): SymbolPlace | undefined {
    const distance = Number(BigInt.asUintN(64, address) - this.#base);
    let low = 0;
    let high = this.#distances.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#distances[middle] ?? 0) <= distance) low = middle + 1;
      else high = middle;
    }
    if (low === 0 || (low === this.#distances.length && distance - (this.#distances[low - 1] ?? 0) > 0x10000)) {
      return undefined;
    }
    const start = this.#distances[low - 1] ?? 0;
    // Of several symbols at one address the first is the one the kernel itself shows.
    let index = low - 1;
    while (index > 0 && this.#distances[index - 1] === start) index--;
    return { name: this.#name(this.#order[index] ?? 0), offset: distance - start };
  }

  /** Address of the first symbol with a name; undefined when there is none. Reads all names. */
  find(name: string): bigint | undefined {
    const { names, distances } = this.#tables;
    let at = 0;
    for (const distance of distances) {
      if (!Number.isNaN(distance) && this.#nameAt(at) === name)
        return BigInt.asUintN(64, this.#base + BigInt(distance));
      at = skipName(names, at);
    }
    return undefined;
  }

  /** Expands the name of symbol `index`: a type letter, which is dropped, and the name proper. */
  #name(index: number): string {
    const { names, markers } = this.#tables;
    let at = markers[index >>> 8] ?? 0;
    for (let i = index & (GROUP - 1); i > 0; i--) at = skipName(names, at);
    return this.#nameAt(at);
  }

  #nameAt(at: number): string {
    const { names, tokens } = this.#tables;
    const [start, length] = nameBody(names, at);
    let text = '';
    for (let i = start; i < start + length; i++) text += tokens[names[i] ?? 0] ?? '';
    return text.slice(1);
  }
}

/** The tables of one kernel, copied out of it. */
interface Tables {
  readonly names: Uint8Array;
  readonly markers: Uint32Array;
  readonly tokens: readonly string[];
  readonly base: bigint;
  /** Distance of each symbol from the base; NaN for an absolute one. */
  readonly distances: Float64Array;
}

/**
 * Finds the symbols of a kernel.
 * @param file - the unpacked ELF file
 * @returns undefined when it carries none, or in a form we do not know
 */
export function findKallsyms(file: Uint8Array): Kallsyms | undefined {
  for (const segment of readElf(file).segments) {
    if (segment.type !== PT.LOAD) continue;
    const { bytes } = segment.data;
    const tokens = findTokens(bytes);
    if (tokens === undefined) continue;
    const names = findNames(bytes, tokens.start);
    const offsets = names === undefined ? undefined : findOffsets(bytes, names, tokens.end);
    if (names === undefined || offsets === undefined) return undefined;
    return new Kallsyms({
      names: new Uint8Array(bytes.subarray(names.start, names.end)),
      markers: names.markers,
      tokens: tokens.texts,
      ...offsets,
    });
  }
  return undefined;
}

interface TokenTable {
  /** Where the table starts, and where the index behind it ends. */
  readonly start: number;
  readonly end: number;
  readonly texts: readonly string[];
}

/** Finds the tokens by the ten that stand for a digit each, and proves them by the index behind them. */
function findTokens(bytes: Uint8Array): TokenTable | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const limit = bytes.length - 1024;
  for (let at = 0; at < limit; at++) {
    at = bytes.indexOf(0x30, at);
    if (at < 0 || at >= limit) return undefined;
    if (!isDigitTokens(bytes, at)) continue;
    const table = proveTokens(view, bytes, at);
    if (table !== undefined) return table;
  }
  return undefined;
}

function isDigitTokens(bytes: Uint8Array, at: number): boolean {
  for (let digit = 0; digit < 10; digit++) {
    if (bytes[at + digit * 2] !== 0x30 + digit || bytes[at + digit * 2 + 1] !== 0) return false;
  }
  return true;
}

/** @param zeroAt - where the token "0" (number 0x30) starts */
function proveTokens(view: DataView, bytes: Uint8Array, zeroAt: number): TokenTable | undefined {
  const starts: number[] = [];
  let at = zeroAt;
  for (let token = 0x30; token < NR_TOKENS; token++) {
    starts[token] = at;
    const nul = bytes.indexOf(0, at);
    if (nul < 0 || nul - at > 128) return undefined;
    at = nul + 1;
  }
  for (let index = at; index < at + 16 && index + NR_TOKENS * 2 <= bytes.length; index++) {
    const start = zeroAt - view.getUint16(index + 0x30 * 2, true);
    if (start < 0 || view.getUint16(index, true) !== 0) continue;
    let matches = true;
    for (let token = 0; token < NR_TOKENS && matches; token++) {
      const place = start + view.getUint16(index + token * 2, true);
      if (token < 0x30) starts[token] = place;
      matches = starts[token] === place && (token === 0 || bytes[place - 1] === 0);
    }
    if (!matches) continue;
    const texts = starts.map((place) => readText(bytes, place));
    return { start, end: index + NR_TOKENS * 2, texts };
  }
  return undefined;
}

function readText(bytes: Uint8Array, start: number): string {
  return String.fromCharCode(...bytes.subarray(start, bytes.indexOf(0, start)));
}

interface NameTable {
  readonly start: number;
  readonly end: number;
  /** Where the number of symbols stands, before the names. */
  readonly countAt: number;
  readonly count: number;
  readonly markers: Uint32Array;
}

/** Finds markers and names before the token table. */
function findNames(bytes: Uint8Array, tokensStart: number): NameTable | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const lowest = Math.max(4, tokensStart - MAX_MARKERS_GAP);
  for (let end = tokensStart - (tokensStart % 4); end > lowest; end -= 4) {
    const start = walkMarkers(view, end);
    if (start === undefined) continue;
    const table = proveNames(view, bytes, start, end);
    if (table !== undefined) return table;
  }
  return undefined;
}

/** Follows an array of offsets that ends at `end` back to its first entry, 0. */
function walkMarkers(view: DataView, end: number): number | undefined {
  let above = Infinity;
  for (let at = end - 4; at >= 0; at -= 4) {
    const value = view.getUint32(at, true);
    if (value === 0) return end - at > 8 ? at : undefined;
    // A group of names has two bytes for each at least.
    if (value > above - GROUP * 2 || above - value > (above === Infinity ? Infinity : MAX_GROUP_BYTES))
      return undefined;
    above = value;
  }
  return undefined;
}

/** Proves markers by the names before them: the count must fit, and every group must start where its marker says. */
function proveNames(view: DataView, bytes: Uint8Array, markersAt: number, markersEnd: number): NameTable | undefined {
  const nrMarkers = (markersEnd - markersAt) / 4;
  const markers = Uint32Array.from({ length: nrMarkers }, (_, i) => view.getUint32(markersAt + i * 4, true));
  const latest = markersAt - (markers.at(-1) ?? 0) - 2;
  for (let start = latest - (latest % 4); start > Math.max(8, latest - MAX_GROUP_BYTES); start -= 4) {
    for (const countAt of [start - 8, start - 4]) {
      const count = view.getUint32(countAt, true);
      if (Math.ceil(count / GROUP) !== nrMarkers || count > MAX_SYMBOLS) continue;
      const end = walkNames(bytes, start, count, markers, markersAt);
      if (end !== undefined) return { start, end, countAt, count, markers };
    }
  }
  return undefined;
}

/** @returns where the names end, if all markers are met and only padding follows */
function walkNames(
  bytes: Uint8Array,
  start: number,
  count: number,
  markers: Uint32Array,
  limit: number,
): number | undefined {
  let at = start;
  for (let i = 0; i < count; i++) {
    if (i % GROUP === 0 && at - start !== markers[i / GROUP]) return undefined;
    at = skipName(bytes, at);
    if (at > limit) return undefined;
  }
  return limit - at < 8 ? at : undefined;
}

/** A name is its length in tokens (one byte, or two with the top bit set in the first) and the tokens. */
function nameBody(names: Uint8Array, at: number): readonly [start: number, length: number] {
  const first = names[at] ?? 0;
  if (first < 0x80) return [at + 1, first];
  return [at + 2, (first & 0x7f) | ((names[at + 1] ?? 0) << 7)];
}

/** @hot Run for every symbol when the table is proved. */
function skipName(names: Uint8Array, at: number): number {
  const first = names[at] ?? 0;
  return first < 0x80 ? at + 1 + first : at + 2 + ((first & 0x7f) | ((names[at + 1] ?? 0) << 7));
}

/** Finds the offsets: before the number of symbols (to 6.3) or behind the token index (from 6.4 on). */
function findOffsets(
  bytes: Uint8Array,
  names: NameTable,
  tokensEnd: number,
): { base: bigint; distances: Float64Array } | undefined {
  const size = align8(names.count * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const at of [names.countAt - 8 - size, align8(tokensEnd)]) {
    if (at < 0 || at + size + 8 > bytes.length) continue;
    const base = view.getBigUint64(at + size, true);
    if (base < 0xffff800000000000n) continue;
    const distances = readDistances(view, at, names.count);
    if (distances !== undefined) return { base, distances };
  }
  return undefined;
}

/**
 * Offsets are relative to the base; or, where the kernel has absolute symbols too, those are not negative and
 * the relative ones are stored as -1 - offset. Either way the addresses must ascend.
 */
function readDistances(view: DataView, at: number, count: number): Float64Array | undefined {
  const raw = Int32Array.from({ length: count }, (_, i) => view.getInt32(at + i * 4, true));
  const hasAbsolute = raw.some((offset) => offset < 0);
  const distances = Float64Array.from(raw, (offset) => (!hasAbsolute ? offset : offset < 0 ? -1 - offset : NaN));
  let before = 0;
  for (const distance of distances) {
    if (Number.isNaN(distance)) continue;
    if (distance < before) return undefined;
    before = distance;
  }
  return distances;
}

function align8(value: number): number {
  return Math.ceil(value / 8) * 8;
}
