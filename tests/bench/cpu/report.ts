// The table that the CPU bench prints, a row a line.

import type { Goal } from './lines.ts';
import { ratios, reached, type Result } from './result.ts';
import { median, spread, timeText } from './statistics.ts';

const TIME = 8;
const RATIO = 22;

/** One column: its title, its width, and what it shows of a result. */
interface Column {
  readonly title: string;
  readonly width: number;
  readonly show: (result: Result) => string;
}

const NAMES: readonly Column[] = [
  { title: 'line', width: 11, show: ({ line }) => line.name },
  { title: 'operation', width: 12, show: ({ line }) => line.op },
  { title: 'native', width: TIME, show: ({ nativeNs }) => medianText(nativeNs) },
  { title: 'zendo', width: TIME, show: ({ zendoNs }) => medianText(zendoNs) },
];

const WITH_QEMU: readonly Column[] = [
  { title: 'qemu', width: TIME, show: ({ qemuNs }) => medianText(qemuNs) },
  { title: 'zendo / native', width: RATIO, show: (result) => ratioSpread(result.zendoNs, result.nativeNs) },
  { title: 'qemu / native', width: RATIO, show: (result) => ratioSpread(result.qemuNs, result.nativeNs) },
  { title: 'qemu / zendo', width: RATIO, show: (result) => ratioSpread(result.qemuNs, result.zendoNs) },
  { title: 'target', width: 13, show: ({ line }) => goalText(line.target) },
  { title: 'met', width: 0, show: verdict },
];

const WITH_OTHER: readonly Column[] = [
  { title: 'other', width: TIME, show: ({ otherNs }) => medianText(otherNs) },
  { title: 'zendo / native', width: RATIO, show: (result) => ratioSpread(result.zendoNs, result.nativeNs) },
  { title: 'other / native', width: RATIO, show: (result) => ratioSpread(result.otherNs, result.nativeNs) },
  { title: 'zendo / other', width: 0, show: (result) => ratioSpread(result.zendoNs, result.otherNs) },
];

/** The table of a run. */
export class Table {
  readonly #columns: readonly Column[];

  /** @param withOther - whether another working tree takes QEMU's place */
  constructor(withOther: boolean) {
    this.#columns = [...NAMES, ...(withOther ? WITH_OTHER : WITH_QEMU)];
  }

  /** What stands above the rows. */
  head(): string {
    return this.#row(({ title }) => title);
  }

  /** One row: medians, and of ratios the least and the greatest of all rounds too. */
  row(result: Result): string {
    return this.#row(({ show }) => show(result));
  }

  #row(show: (column: Column) => string): string {
    return `${this.#columns.map((column) => show(column).padEnd(column.width)).join(' ')}\n`;
  }
}

function medianText(times: readonly number[]): string {
  return times.length === 0 ? '' : timeText(median(times));
}

function ratioSpread(over: readonly number[], under: readonly number[]): string {
  return spread(ratios(over, under), ratioText);
}

/** Whether the target is met, and the stretch. */
function verdict(result: Result): string {
  if (reached(result, result.line.stretch) === true) return 'stretch';
  const target = reached(result, result.line.target);
  return target === undefined ? '?' : target ? 'yes' : 'NO';
}

function goalText({ native, qemu }: Goal): string {
  return native === undefined ? qemuText(qemu) : `${native}x, ${qemuText(qemu)}`;
}

/** The time that Zendo may take, in times of QEMU. */
function qemuText(ratio: number): string {
  return `${1 / ratio}x qemu`;
}

function ratioText(ratio: number): string {
  return ratio.toFixed(ratio < 9.95 ? 2 : ratio < 99.5 ? 1 : 0);
}
