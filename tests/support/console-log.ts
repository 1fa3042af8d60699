// Console logs of two runs of a kernel, made comparable: what differs from run to run and from machine to
// machine goes, what the kernel said stays. Used for the recording of the real hypervisor.

/** What stands for an address, a hash or a number in a comparable line. */
const ADDRESS = '#';
const NUMBER = 'N';

/** The lines of a console log without time stamps, addresses, sizes and the mark of early output; empty ones left out. */
export function comparableLines(log: string): string[] {
  return log
    .split(/\r?\n|\r/)
    .map((line) => comparable(line))
    .filter((line) => line !== '');
}

function comparable(line: string): string {
  return line
    .replaceAll('(early) ', '')
    .replace(/^\[ *\d+\.\d+\] ?/, '')
    .replaceAll(/\(____ptrval____\)|0x[0-9a-f]+|\b(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b/g, ADDRESS)
    .replaceAll(/\d+/g, NUMBER)
    .trim();
}

/** What one log has and another has not. */
export interface LogDifference {
  readonly missing: readonly string[];
  readonly added: readonly string[];
}

/** Compares two lists of comparable lines as multisets: several vCPUs print in an order of their own. */
export function compareLogs(expected: readonly string[], actual: readonly string[]): LogDifference {
  return { missing: without(expected, actual), added: without(actual, expected) };
}

function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}
