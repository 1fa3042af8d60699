// Shows how far a long step has come. The text goes to a port: the command line has one that keeps a single
// line of the terminal, tests collect what they get.

/** Shows one passing line; '' takes it away. */
export type Progress = (line: string) => void;

const BAR_CELLS = 24;
const MIB = 1 << 20;

/** The line for a step that has done a part of a known whole. */
export function progressBar(what: string, doneBytes: number, totalBytes: number): string {
  const part = totalBytes > 0 ? Math.min(doneBytes / totalBytes, 1) : 0;
  const cells = Math.round(part * BAR_CELLS);
  const bar = '#'.repeat(cells) + '-'.repeat(BAR_CELLS - cells);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `${what} [${bar}] ${percent}% of ${(totalBytes / MIB).toFixed(1)} MiB`;
}
