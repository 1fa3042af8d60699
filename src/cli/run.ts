// `zendo run`: starts a domain, joins its console to standard input and output, and turns its end into an exit status. Called by
// main.ts. Everything that can end a run (the guest, a key, a signal, the time limit, a stream that fails) goes through `Ending`.

import type { RunOptions } from './arguments.ts';
import { ConsoleOutput } from './console-output.ts';
import type { OutputFailure } from './console-output.ts';
import { Ending } from './ending.ts';
import type { Outcome } from './ending.ts';
import { ExitStatus, signalStatus } from './exit-status.ts';
import { describeError, Messages } from './messages.ts';
import type { DomainEnd, RunConfig, RunningDomain, StartDomain } from './ports.ts';
import { Keyboard } from './terminal.ts';
import type { World } from './world.ts';

/** A Ctrl-C in cooked mode comes from the terminal and once more through the launcher; nobody presses twice that fast. */
const SAME_PRESS_MS = 50;
/** How long a run that was cut short waits for the domain to go and for the reader to take the last output. */
const GRACE_MS = 2000;

/** @returns the exit status; the terminal is in order and all output written when it settles */
export async function runDomain(
  config: RunConfig,
  options: RunOptions,
  world: World,
  startDomain: StartDomain,
): Promise<number> {
  return new Run(config, options, world, startDomain).toEnd();
}

class Run {
  readonly #config: RunConfig;
  readonly #options: RunOptions;
  readonly #world: World;
  readonly #startDomain: StartDomain;
  readonly #ending = new Ending();
  readonly #starting = new AbortController();
  readonly #output: ConsoleOutput;
  readonly #messages: Messages;
  readonly #keyboard: Keyboard;
  #domain: RunningDomain | undefined;
  #lastInterruptMs = -Infinity;
  #shutdownRequested = false;

  constructor(config: RunConfig, options: RunOptions, world: World, startDomain: StartDomain) {
    this.#config = config;
    this.#options = options;
    this.#world = world;
    this.#startDomain = startDomain;
    this.#output = new ConsoleOutput(world.stdout, (failure) => this.#ending.request(outputOutcome(failure)));
    this.#messages = new Messages(world.stderr, {
      quiet: options.quiet,
      leaveGuestLine: () => this.#output.leaveLine() && world.stdout.isTTY === true && world.stderr.isTTY === true,
    });
    this.#keyboard = new Keyboard(world, {
      send: (bytes) => this.#domain?.writeConsole(bytes),
      end: (by) =>
        this.#ending.request({
          status: signalStatus('SIGINT'),
          line: by === 'escape' ? 'ended by Ctrl-]' : 'ended by Ctrl-C twice',
        }),
      failed: (error) => this.#ending.request({ status: ExitStatus.FAILED, line: error.message }),
    });
  }

  async toEnd(): Promise<number> {
    this.#listen();
    const running = this.#runUntilEnd();
    const outcome = await Promise.race([running, this.#ending.first]);
    if (!this.#ending.isRequested) {
      this.#ending.request(outcome); // from here on, a wish to end cuts the waiting short
    }
    this.#starting.abort();
    await this.#finish(outcome, running);
    return outcome.status;
  }

  #listen(): void {
    const world = this.#world;
    world.onSignal('SIGINT', () => this.#interrupt());
    world.onSignal('SIGTERM', () => this.#ending.request({ status: signalStatus('SIGTERM') }));
    world.onSignal('SIGHUP', () => this.#ending.request({ status: signalStatus('SIGHUP') }));
    world.onSignal('SIGCONT', () => this.#keyboard.reopen());
    if (this.#config.stats !== undefined) world.onSignal('SIGUSR2', () => void this.#printProfile());
  }

  /** Only when Ctrl-C is no key for the guest: cooked mode, while starting, or sent by somebody. */
  #interrupt(): void {
    const now = this.#world.nowMs();
    const samePress = now - this.#lastInterruptMs < SAME_PRESS_MS;
    this.#lastInterruptMs = now;
    if (samePress) {
      return;
    }
    if (this.#domain === undefined || this.#keyboard.isRaw || this.#shutdownRequested) {
      this.#ending.request({ status: signalStatus('SIGINT') });
      return;
    }
    this.#shutdownRequested = true;
    this.#messages.notice('asking the guest to power off; Ctrl-C again ends it at once');
    this.#domain.requestShutdown();
  }

  async #runUntilEnd(): Promise<Outcome> {
    try {
      let cancelTimeout: (() => void) | undefined;
      for (;;) {
        const domain = await this.#startDomain(this.#config, this.#messages, this.#starting.signal);
        if (this.#ending.isRequested) {
          await domain.destroy(); // the wish to end came while it started
          return await this.#ending.first;
        }
        this.#messages.progress('');
        cancelTimeout ??= this.#limitTime();
        this.#domain = domain;
        domain.onConsole((bytes) => this.#print(bytes));
        this.#keyboard.open();
        const end = await domain.ended;
        if (end.kind !== 'reboot' || this.#ending.isRequested) {
          cancelTimeout?.();
          return this.#domainOutcome(end);
        }
        this.#messages.notice(`'${this.#config.name}' reboots`);
        await this.#printProfile();
        this.#domain = undefined;
        await domain.destroy();
      }
    } catch (error) {
      return { status: ExitStatus.FAILED, line: describeError(error) };
    }
  }

  #limitTime(): (() => void) | undefined {
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined) {
      return undefined;
    }
    const line = `the time limit of ${timeoutMs / 1000} s is over`;
    return this.#world.after(timeoutMs, () => this.#ending.request({ status: ExitStatus.TIMED_OUT, line }));
  }

  #print(bytes: Uint8Array): void | Promise<void> {
    this.#keyboard.noteOutput();
    return this.#output.write(bytes);
  }

  #domainOutcome(end: DomainEnd): Outcome {
    switch (end.kind) {
      case 'poweroff':
        return { status: ExitStatus.OK, natural: true, notice: `'${this.#config.name}' powered off` };
      case 'crash':
        return { status: ExitStatus.GUEST_CRASHED, natural: true, report: end.report };
      case 'reboot':
      case 'destroyed':
        return { status: ExitStatus.FAILED, line: 'the domain was destroyed' };
    }
  }

  /** The terminal first, so that what follows is readable; then the domain; then the last output, then the last words. */
  async #finish(outcome: Outcome, running: Promise<unknown>): Promise<void> {
    this.#keyboard.close();
    const patience = this.#ending.again;
    const limits = outcome.natural === true ? [patience] : [patience, this.#grace()];
    const profile = await Promise.race([this.#profile(), patience.then(nothing), this.#grace().then(nothing)]);
    await Promise.race([this.#destroy(running), patience, this.#grace()]);
    await Promise.race([this.#output.flush(), ...limits]);
    this.#messages.progress('');
    if (outcome.notice !== undefined) {
      this.#messages.notice(outcome.notice);
    }
    if (profile !== '') {
      this.#messages.report(profile);
    }
    if (outcome.report !== undefined) {
      this.#messages.report(outcome.report);
    }
    if (outcome.line !== undefined) {
      this.#messages.error(outcome.line);
    }
  }

  async #printProfile(): Promise<void> {
    const profile = await this.#profile();
    if (profile !== '') {
      this.#messages.report(profile);
    }
  }

  /** '' when none was asked for, or the machine is past answering. */
  async #profile(): Promise<string> {
    if (this.#config.stats === undefined) {
      return '';
    }
    return (await this.#domain?.profile().catch(nothing)) ?? '';
  }

  /** Waits for a start that was broken off as well, so that it leaves nothing half-done. */
  async #destroy(running: Promise<unknown>): Promise<void> {
    try {
      await this.#domain?.destroy();
      await running;
    } catch (error) {
      this.#messages.error(describeError(error));
    }
  }

  #grace(): Promise<void> {
    return new Promise((resolve) => void this.#world.after(GRACE_MS, resolve));
  }
}

function nothing(): string {
  return '';
}

function outputOutcome(failure: OutputFailure): Outcome {
  switch (failure.kind) {
    case 'reader-left':
      return { status: signalStatus('SIGPIPE') };
    case 'error':
      return { status: ExitStatus.FAILED, line: failure.error.message };
  }
}
