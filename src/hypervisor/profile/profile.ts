// Where the time of a pCPU goes: guest code, each kind of exit, the run loop, domain 0, nothing. Made when somebody
// asked for it; without one nothing is measured. The engine's wrapper tells when guest code begins and ends,
// the hypervisor when a run does; what lies between two such moments goes to one account.

import type { Clock } from '../../base/index.ts';
import { Assist, type Engine, type EngineCounters } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import { hypercallKindName, NR_HYPERCALL_KINDS } from './hypercall-kind.ts';
import { type ProfileRow, Tally } from './tally.ts';

/** Kinds of exits, as a profile tells them apart. */
export const ExitKind = {
  HYPERCALL: 0,
  SYSTEM_CALL: 1,
  EXCEPTION: 2,
  SOFTWARE_INTERRUPT: 3,
  ASSIST: 4,
  BUDGET: 5,
} as const;

/** A value of `ExitKind`. */
export type ExitKindNumber = (typeof ExitKind)[keyof typeof ExitKind];

const EXIT_NAMES = ['hypercall', 'system call', 'exception', 'software interrupt', 'assist', 'end of a time slice'];
const NR_VECTORS = 256;

/** Number of an exception: its vector, and where it happened. */
export function exceptionNumber(vector: number, kernelMode: boolean): number {
  return vector + (kernelMode ? NR_VECTORS : 0);
}

/** A page fault for a plain store to a page table, which the hypervisor carries out. */
const TABLE_STORE = 2 * NR_VECTORS;

/** What a profile tells. Plain data. Times are host time in ns; they add up to `totalNs`. */
export interface ProfileReport {
  /** Time since guest code was first entered. */
  readonly totalNs: number;
  /** Guest code, with what the engine does for it: decoding, compiling, page walks. */
  readonly guestNs: number;
  /** Entries into guest code, and the longest stay. */
  readonly entries: number;
  readonly longestEntryNs: number;
  /** Timers and scheduling. */
  readonly loopNs: number;
  /** Serving domain 0's requests while guests could run. */
  readonly domain0Ns: number;
  /** No vCPU could run. */
  readonly idleNs: number;
  /** What the profile itself costs, as far as it is known. */
  readonly measuringNs: number;
  /** Handling of exits, up to the next entry. The sum of their times, and the five others, is the total. */
  readonly exits: readonly ProfileRow[];
  /** Exits of kind `exception`, by vector and mode. */
  readonly exceptions: readonly ProfileRow[];
  /** Exits of kind `assist`, by instruction. */
  readonly assists: readonly ProfileRow[];
  /** Exits of kind `hypercall`. */
  readonly hypercalls: readonly ProfileRow[];
  /** Entries of multicalls; their times are within those of `multicall`. */
  readonly multicallEntries: readonly ProfileRow[];
  /** Event upcalls. */
  readonly upcalls: number;
  readonly engine: EngineCounters;
  /** What this engine counts besides, by names for people. */
  readonly details: Readonly<Record<string, number>>;
}

/** Accounts of one pCPU. */
export class Profile {
  readonly #clock: Clock;
  readonly #guest = new Tally(1);
  readonly #exits = new Tally(EXIT_NAMES.length);
  readonly #exceptions = new Tally(TABLE_STORE + 1);
  readonly #assists = new Tally(NR_VECTORS);
  readonly #hypercalls = new Tally(NR_HYPERCALL_KINDS);
  readonly #multicallEntries = new Tally(NR_HYPERCALL_KINDS);
  #loopNs = 0;
  #domain0Ns = 0;
  #idleNs = 0;
  #startNs = -1;
  /** When what is going on now began. */
  #sinceNs = 0;
  /** The exit that is being handled; undefined in the run loop and outside of it. */
  #kind: ExitKindNumber | undefined;
  #detail = 0;
  #isIdle = false;
  #measuringNs = 0;
  #upcalls = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Guest code is about to run. @hot */
  entered(): void {
    const now = this.#clock.nowNs();
    if (this.#startNs < 0) this.#startNs = now;
    else this.#endHandling(now);
    this.#sinceNs = now;
  }

  /** Guest code has stopped. @param detail - vector, assist or kind of hypercall. @hot */
  left(kind: ExitKindNumber, detail: number): void {
    this.#kind = kind;
    this.#detail = detail;
    const now = this.#clock.nowNs();
    this.#guest.add(0, now - this.#sinceNs);
    this.#sinceNs = now;
  }

  /** What kind of hypercall was left for: found out at the profile's own expense. */
  refine(detail: number): void {
    this.#detail = detail;
    const now = this.#clock.nowNs();
    this.#measuringNs += now - this.#sinceNs;
    this.#sinceNs = now;
  }

  /** An event upcall is made. */
  upcall(): void {
    this.#upcalls++;
  }

  /** The exit that is being handled turned out to be a store to a page table. */
  storedToTable(): void {
    if (this.#kind === ExitKind.EXCEPTION) this.#detail = TABLE_STORE;
  }

  /** The run loop begins. */
  runBegins(): void {
    const now = this.#clock.nowNs();
    if (this.#startNs >= 0) this.#endAbsence(now);
    this.#sinceNs = now;
  }

  /** The run loop has ended. @param isIdle - because no vCPU can run */
  runEnded(isIdle: boolean): void {
    const now = this.#clock.nowNs();
    if (this.#startNs >= 0) this.#endHandling(now);
    this.#sinceNs = now;
    this.#isIdle = isIdle;
  }

  /** Times one entry of a multicall. */
  timeEntry(kind: number, call: () => number): number {
    const start = this.#clock.nowNs();
    const result = call();
    this.#multicallEntries.add(kind, this.#clock.nowNs() - start);
    return result;
  }

  /** What has been measured so far. Called between runs. */
  report(engine: Engine): ProfileReport {
    const now = this.#clock.nowNs();
    if (this.#startNs >= 0) this.#endAbsence(now);
    this.#sinceNs = now;
    const guest = this.#guest.rows(() => '')[0];
    return {
      totalNs: this.#startNs < 0 ? 0 : now - this.#startNs,
      guestNs: guest?.ns ?? 0,
      entries: guest?.count ?? 0,
      longestEntryNs: guest?.longestNs ?? 0,
      loopNs: this.#loopNs,
      domain0Ns: this.#domain0Ns,
      idleNs: this.#idleNs,
      measuringNs: this.#measuringNs,
      exits: this.#exits.rows((kind) => EXIT_NAMES[kind] ?? ''),
      exceptions: this.#exceptions.rows(exceptionName),
      assists: this.#assists.rows((kind) => keyOf(Assist, kind)?.toLowerCase() ?? String(kind)),
      hypercalls: this.#hypercalls.rows(hypercallKindName),
      multicallEntries: this.#multicallEntries.rows(hypercallKindName),
      upcalls: this.#upcalls,
      engine: { ...engine.counters },
      details: engine.details(),
    };
  }

  /** @hot */
  #endHandling(now: number): void {
    const ns = now - this.#sinceNs;
    const kind = this.#kind;
    if (kind === undefined) {
      this.#loopNs += ns;
      return;
    }
    this.#kind = undefined;
    this.#exits.add(kind, ns);
    if (kind === ExitKind.HYPERCALL) this.#hypercalls.add(this.#detail, ns);
    else if (kind === ExitKind.EXCEPTION) this.#exceptions.add(this.#detail, ns);
    else if (kind === ExitKind.ASSIST) this.#assists.add(this.#detail, ns);
  }

  #endAbsence(now: number): void {
    if (this.#isIdle) this.#idleNs += now - this.#sinceNs;
    else this.#domain0Ns += now - this.#sinceNs;
  }
}

function exceptionName(number: number): string {
  if (number === TABLE_STORE) return '#PF of a store to a page table';
  const vector = keyOf(Vector, number % NR_VECTORS);
  const name = vector === undefined ? `vector ${number % NR_VECTORS}` : `#${vector}`;
  return `${name} in ${number < NR_VECTORS ? 'user' : 'kernel'} mode`;
}

function keyOf(table: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.entries(table).find(([, known]) => known === value)?.[0];
}
