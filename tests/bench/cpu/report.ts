// The table that the CPU bench prints, a row a line.

import { ratios, reached, type Result } from './result.ts';
import { median, spread, timeText } from './statistics.ts';
import type { Goal } from './lines.ts';

const WIDTHS = [12, 13, 9, 26, 26, 26, 14] as const;

/** What stands above the rows. */
export function tableHead(): string {
  return row(['line', 'operation', 'native', 'zendo / native', 'qemu / native', 'qemu / zendo', 'target'], 'met');
}

/** One row: median (least to most) of the rounds. */
export function tableRow(result: Result): string {
  const { line, nativeNs, zendoNs, qemuNs } = result;
  const cells = [
    line.name,
    line.op,
    timeText(median(nativeNs)),
    spread(ratios(zendoNs, nativeNs), ratioText),
    spread(ratios(qemuNs, nativeNs), ratioText),
    spread(ratios(qemuNs, zendoNs), ratioText),
    goalText(line.target),
  ];
  return row(cells, verdict(result));
}

/** Whether the target is met, and the stretch. */
function verdict(result: Result): string {
  if (reached(result, result.line.stretch) === true) return 'stretch';
  const target = reached(result, result.line.target);
  return target === undefined ? '?' : target ? 'yes' : 'NO';
}

function goalText({ native, qemu }: Goal): string {
  return native === undefined ? `qemu ${ratioText(qemu)}` : `${ratioText(native)}, qemu ${ratioText(qemu)}`;
}

function ratioText(ratio: number): string {
  return ratio.toFixed(ratio < 9.95 ? 2 : ratio < 99.5 ? 1 : 0);
}

function row(cells: readonly string[], last: string): string {
  return `${cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join(' ')} ${last}\n`;
}
