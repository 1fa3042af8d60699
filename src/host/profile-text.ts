// A pCPU's profile as text for people: one table for the whole, one for each kind of thing that has happened, and what
// the engine counted. What took most time stands first.

import type { ProfileReport, ProfileRow } from '../hypervisor/index.ts';

/** Rows of a table; the rest is added up in one line. */
const MOST_ROWS = 40;
const NAME_WIDTH = 50;
const COLUMNS = [
  ['count', 13],
  ['share', 8],
  ['time', 10],
  ['share', 8],
  ['each', 9],
  ['longest', 9],
] as const;

/** The profile, several lines with line ends. */
export function profileText(report: ProfileReport): string {
  const busyNs = report.totalNs - report.idleNs;
  const guest = { name: 'guest code', count: report.entries, ns: report.guestNs, longestNs: report.longestEntryNs };
  const lines = [
    `profile of ${time(report.totalNs)}, ${time(busyNs)} without idle time`,
    '',
    ...table(
      'where the time went',
      busyNs,
      [guest, ...report.exits].filter((row) => row.count > 0),
      report.entries,
    ),
    ...others(report, busyNs),
  ];
  const tables: readonly (readonly [string, readonly ProfileRow[]])[] = [
    ['exceptions', report.exceptions],
    ['hypercalls', report.hypercalls],
    ['within multicalls', report.multicallEntries],
    ['assists', report.assists],
  ];
  for (const [title, rows] of tables) if (rows.length > 0) lines.push('', ...table(title, busyNs, rows));
  lines.push('', ...engineLines(report));
  return `${lines.join('\n')}\n`;
}

/** @param total - what the shares of the counts are of; absent: their sum */
function table(title: string, busyNs: number, rows: readonly ProfileRow[], total = countOf(rows)): string[] {
  const shown = rows.slice(0, MOST_ROWS);
  const rest = rows.slice(MOST_ROWS);
  if (rest.length > 0) {
    shown.push({
      name: `${rest.length} others`,
      count: countOf(rest),
      ns: rest.reduce((sum, row) => sum + row.ns, 0),
      longestNs: Math.max(...rest.map((row) => row.longestNs)),
    });
  }
  const heading = title.padEnd(NAME_WIDTH) + COLUMNS.map(([name, width]) => name.padStart(width)).join('');
  return [heading, ...shown.map((row) => line(row, total, busyNs))];
}

function line(row: ProfileRow, total: number, busyNs: number): string {
  const cells = [
    grouped(row.count),
    percent(row.count, total),
    time(row.ns),
    percent(row.ns, busyNs),
    time(row.ns / row.count),
    time(row.longestNs),
  ];
  return `  ${row.name}`.padEnd(NAME_WIDTH) + COLUMNS.map(([, width], n) => (cells[n] ?? '').padStart(width)).join('');
}

/** What has no count: lines of the first table with a time only. */
function others(report: ProfileReport, busyNs: number): string[] {
  const accounts: readonly (readonly [string, number])[] = [
    ['run loop: timers, scheduling', report.loopNs],
    ['requests of domain 0', report.domain0Ns],
    ['measuring', report.measuringNs],
  ];
  const [[, countWidth], [, shareWidth], [, timeWidth], [, timeShareWidth]] = COLUMNS;
  return accounts.map(
    ([name, ns]) =>
      `  ${name}`.padEnd(NAME_WIDTH + countWidth + shareWidth) +
      time(ns).padStart(timeWidth) +
      percent(ns, busyNs).padStart(timeShareWidth),
  );
}

function engineLines(report: ProfileReport): string[] {
  const { engine, details, guestNs } = report;
  const mips = guestNs === 0 ? 0 : (engine.instructions / guestNs) * 1000;
  const values: readonly (readonly [string, string])[] = [
    ['guest instructions', `${grouped(engine.instructions)}, ${mips.toFixed(1)} MIPS in guest code`],
    [
      'transitions within',
      `${grouped(engine.systemCalls)} system calls, ${grouped(engine.pageFaults)} page faults, ${grouped(engine.returns)} returns`,
    ],
    ['event upcalls', grouped(report.upcalls)],
    ['blocks decoded', grouped(engine.decodedBlocks)],
    ['regions compiled', `${grouped(engine.compiledRegions)}, ${grouped(engine.compiledBytes)} bytes of WebAssembly`],
    ['time to compile', `${time(engine.compileNs)}, the longest pause ${time(engine.longestCompileNs)}`],
    [
      'code dropped by writes',
      `${grouped(engine.invalidatedFrames)} frames, ${grouped(engine.droppedRegions)} regions`,
    ],
    ['code evicted', `${grouped(engine.evictions)} times, ${grouped(engine.evictedRegions)} regions`],
    [
      'TLB flushes',
      `${grouped(engine.tlbFlushes)}, ${grouped(engine.tlbLowerFlushes)} of the lower half, ${grouped(engine.tlbPageFlushes)} of one page`,
    ],
    ...Object.entries(details).map(([name, count]): readonly [string, string] => [name, grouped(count)]),
  ];
  return ['engine', ...values.map(([name, text]) => `  ${name.padEnd(36)}${text}`)];
}

function countOf(rows: readonly ProfileRow[]): number {
  return rows.reduce((sum, row) => sum + row.count, 0);
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '' : `${((100 * part) / whole).toFixed(1)}%`;
}

/** A time with three digits and its unit. */
function time(ns: number): string {
  const units = ['ns', 'us', 'ms'] as const;
  let value = ns;
  for (const unit of units) {
    if (value < 1000) return `${value.toFixed(value < 100 && unit !== 'ns' ? 1 : 0)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(2)} s`;
}

function grouped(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
