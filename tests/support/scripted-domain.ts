// A domain that plays a part instead of running a guest: the tests of the command line start it in place of a machine. The
// part is named by the kernel command line (`--append`), so that it can be chosen from inside and outside a process.

import { setTimeout as delay } from 'node:timers/promises';
import process from 'node:process';
import { VmmError } from '../../src/base/index.ts';
import type { ConsoleSink, DomainEnd, RunningDomain, StartDomain } from '../../src/cli/ports.ts';

/** What a part can do, and what was done to it. */
interface Stage {
  print(text: string): void;
  end(end: DomainEnd): void;
  fail(error: Error): void;
}

/** Reactions of one part. What a part does not mention it ignores. */
interface Part {
  /** Never answers when it is asked for its profile. */
  readonly isSilent?: boolean;
  onStart?(stage: Stage): void;
  onKeys?(stage: Stage, text: string): void;
  onShutdown?(stage: Stage): void;
}

const crash: DomainEnd = { kind: 'crash', report: "guest 'guest' crashed: oops\n  rip 0xffffffff81000000\n" };

const reboot: Part = { onStart: (stage) => stage.end({ kind: 'reboot' }) };

/** Every part by its name. All but the silent ones first say which process they run in. */
const parts: Readonly<Record<string, Part>> = {
  poweroff: {
    onStart(stage) {
      stage.print('last words');
      stage.end({ kind: 'poweroff' });
    },
  },
  crash: {
    onStart(stage) {
      stage.print('unfinished line');
      stage.end(crash);
    },
  },
  fault: { onStart: (stage) => stage.fail(new Error('a count went negative')) },
  /** Answers each chunk of keys in hexadecimal; `q` powers off, `!` breaks this process. */
  keys: {
    onKeys(stage, text) {
      if (text.includes('!')) {
        setImmediate(() => {
          throw new Error('thrown in the middle');
        });
      }
      stage.print(`<${Buffer.from(text, 'latin1').toString('hex')}>\n`);
      if (text.includes('q')) {
        stage.end({ kind: 'poweroff' });
      }
    },
    onShutdown: (stage) => stage.end({ kind: 'poweroff' }),
  },
  /** Ignores everything. */
  stubborn: {},
  silent: { isSilent: true },
};

/** Counts the starts, so that a part can play differently the second time. */
export interface ScriptedMachine {
  readonly startDomain: StartDomain;
  starts: number;
  destroyed: number;
  typed: string;
}

/** A machine on which every domain plays the part named by its command line. */
export function scriptedMachine(): ScriptedMachine {
  const machine: ScriptedMachine = {
    starts: 0,
    destroyed: 0,
    typed: '',
    startDomain: async (config, reporter, signal) => {
      machine.starts += 1;
      for (const kind of config.trace) {
        reporter.trace(`trace ${kind}`);
      }
      switch (config.append) {
        case 'bad-input':
          throw new VmmError('IMAGE_TRUNCATED', "kernel 'x' is cut short: get it again");
        case 'slow-start':
          reporter.notice('starting');
          await delay(60_000, undefined, { signal });
          break;
        case 'reboot-once':
          return new ScriptedDomain(machine, machine.starts === 1 ? reboot : (parts['keys'] ?? {}));
        case 'flood':
          return new FloodDomain();
        default:
      }
      return new ScriptedDomain(machine, parts[config.append ?? 'poweroff'] ?? {});
    },
  };
  return machine;
}

class ScriptedDomain implements RunningDomain {
  readonly #machine: ScriptedMachine;
  readonly #part: Part;
  readonly #ended = Promise.withResolvers<DomainEnd>();
  readonly #stage: Stage;
  #sink: ConsoleSink = () => undefined;

  constructor(machine: ScriptedMachine, part: Part) {
    this.#machine = machine;
    this.#part = part;
    this.#stage = {
      print: (text) => void this.#sink(Buffer.from(text, 'latin1')),
      end: (end) => this.#ended.resolve(end),
      fail: (error) => this.#ended.reject(error),
    };
  }

  get ended(): Promise<DomainEnd> {
    return this.#ended.promise;
  }

  onConsole(sink: ConsoleSink): void {
    this.#sink = sink;
    if (this.#part.onStart === undefined) {
      this.#stage.print(`pid ${process.pid}\n`);
    } else {
      this.#part.onStart(this.#stage);
    }
  }

  writeConsole(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1');
    this.#machine.typed += text;
    this.#part.onKeys?.(this.#stage, text);
  }

  async profile(): Promise<string> {
    return this.#part.isSilent === true ? new Promise(() => undefined) : `profile ${this.#machine.starts}\n`;
  }

  requestShutdown(): void {
    this.#part.onShutdown?.(this.#stage);
  }

  async destroy(): Promise<void> {
    this.#machine.destroyed += 1;
    this.#ended.resolve({ kind: 'destroyed' });
  }
}

/** Prints 4 MiB as fast as the sink takes them, then powers off. */
class FloodDomain implements RunningDomain {
  readonly #ended = Promise.withResolvers<DomainEnd>();

  get ended(): Promise<DomainEnd> {
    return this.#ended.promise;
  }

  onConsole(sink: ConsoleSink): void {
    void this.#flood(sink);
  }

  writeConsole(): void {}

  async profile(): Promise<string> {
    return '';
  }

  requestShutdown(): void {}

  async destroy(): Promise<void> {
    this.#ended.resolve({ kind: 'destroyed' });
  }

  async #flood(sink: ConsoleSink): Promise<void> {
    for (let i = 0; i < 1024; i++) {
      await sink(Buffer.alloc(4096, 0x61 + (i % 26)));
    }
    this.#ended.resolve({ kind: 'poweroff' });
  }
}
