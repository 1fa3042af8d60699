// What the console backend asks of the world around it: the guest's ring page and event channel, a place for output, and
// for the handshake of additional consoles the store, grants and event channels. Tests pass scripted ones.

import type { Logger, SharedPage } from '../../base/index.ts';

/**
 * Takes console output. The bytes are the sink's to keep. If it returns a promise, no more output comes until that settles,
 * and the guest waits when its ring is full. It must not reject.
 */
export type ConsoleSink = (bytes: Uint8Array) => void | Promise<void>;

/** What a console needs from outside the guest. */
export interface ConsoleHostPorts {
  readonly sink: ConsoleSink;
  readonly log: Logger;
  /** Runs a task soon, after other work that waits has had its turn (`setImmediate`, not a microtask). */
  readonly defer: (task: () => void) => void;
  /** How the console is called in log lines. */
  readonly name: string;
}

/** What a running console needs. */
export interface ConsolePorts extends ConsoleHostPorts {
  /** The guest's console page. */
  readonly page: SharedPage;
  /** Raises the guest's console event channel. */
  readonly notify: () => void;
}

/** The store, as far as a handshake uses it. Absolute names. */
export interface ConsoleStore {
  read(name: string): string | undefined;
  write(name: string, value: string): void;
  /** Calls `handler` once soon, and then after each change of the node or anything under it. */
  watch(name: string, handler: () => void): { unwatch(): void };
}

/** A guest's ring page and event channel, as the handshake got them. */
export interface ConsoleLink {
  readonly page: SharedPage;
  readonly notify: () => void;
  /** Gives page and event channel back. */
  close(): void;
}

/** What the handshake of an additional console needs. */
export interface ConsoleConnectPorts extends ConsoleHostPorts {
  readonly store: ConsoleStore;
  /** Directory of the guest's half, such as `/local/domain/1/device/console/1`. */
  readonly frontend: string;
  /** Directory of our half. */
  readonly backend: string;
  /**
   * Maps the page that the guest granted and binds its event channel.
   * @param ringRef - grant reference; any u32
   * @param port - the guest's event channel port; any u32
   * @param onEvent - to be called whenever the guest raises it
   * @returns undefined if either is not the guest's to give
   */
  open(ringRef: number, port: number, onEvent: () => void): ConsoleLink | undefined;
}
