// The lines of the CPU bench in the order in which they are printed, and what each is to reach. What a line does is in
// cpu/program.

/** A goal that a line is measured by: the ratio to native at most, or only QEMU. */
export interface Goal {
  /** Time of Zendo over native. */
  readonly native?: number;
  /** Time of QEMU over Zendo. */
  readonly qemu: number;
}

/** A line and its goals. */
export interface Line {
  readonly name: string;
  /** What one operation is. */
  readonly op: string;
  /** How it is measured: by the bench's program, or by booting, with Node's cache of compiled sources empty or not. */
  readonly kind: 'program' | 'boot' | 'boot-again';
  readonly target: Goal;
  readonly stretch: Goal;
}

const NO_SLOWER = 1;
const FASTER = 1.5;
const MUCH_FASTER = 2;

/** All lines. */
export const LINES: readonly Line[] = [
  near('int-mix', 'step', 2.5, 1.8),
  near('sha256', 'KiB', 2.5, 1.8),
  near('sort', '1 M ints', 2, 1.4),
  near('chase', 'load', 2, 1.4),
  near('hash', 'look-up', 2, 1.4),
  near('matmul', 'multiply-add', 3, 2),
  near('matmul-dots', 'multiply-add', 3, 2),
  near('mandelbrot', 'picture', 3, 2),
  near('fib', 'call', 6, 4),
  near('bytecode', 'program', 6, 4),
  near('python', 'loop', 6, 4),
  near('strlen', 'byte', 7, 4),
  near('byte-copy', 'byte', 7, 4),
  near('memcpy', 'MiB', 2, 1.2),
  near('memcpy-rep', 'MiB', 2, 1.2),
  near('memcpy-libc', 'MiB', 2, 1.2),
  beside('gzip', '8 MiB', FASTER),
  beside('null-call', 'call', MUCH_FASTER),
  beside('rw-byte', 'read+write', FASTER),
  beside('signal', 'signal', FASTER),
  beside('pipe', 'hop', MUCH_FASTER),
  beside('fork-exit', 'process', MUCH_FASTER),
  beside('fork-exec', 'process', MUCH_FASTER),
  beside('page-fault', 'page', MUCH_FASTER),
  beside('mmap', '64 MiB', FASTER),
  beside('file', 'file', FASTER),
  { name: 'boot', op: 'to init', kind: 'boot', target: { qemu: 0.5 }, stretch: { qemu: 1 } },
  { name: 'boot-again', op: 'to init', kind: 'boot-again', target: { qemu: 0.5 }, stretch: { qemu: 1 } },
];

/** A line with a goal against native, and the one that all have against QEMU. */
function near(name: string, op: string, target: number, stretch: number): Line {
  return {
    name,
    op,
    kind: 'program',
    target: { native: target, qemu: NO_SLOWER },
    stretch: { native: stretch, qemu: FASTER },
  };
}

/** A line that is compared with QEMU only. */
function beside(name: string, op: string, stretch: number): Line {
  return { name, op, kind: 'program', target: { qemu: NO_SLOWER }, stretch: { qemu: stretch } };
}
