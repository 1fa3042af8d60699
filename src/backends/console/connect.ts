// How a console gets its ring page. The primary console's page and event channel are made by the domain builder, so the
// composition root makes its `ConsoleBackend` itself. Additional consoles (`device/console/N`) go through the xenbus handshake that
// stands here: we wait in InitWait, the guest names page and port and goes to Initialised, we connect.

import type { XenbusStateValue } from '../../abi/index.ts';
import { XenbusState } from '../../abi/index.ts';
import { ConsoleBackend } from './backend.ts';
import type { ConsoleConnectPorts, ConsoleLink } from './ports.ts';

/** The backend half of one additional console. */
export class ConsoleConnection {
  readonly #ports: ConsoleConnectPorts;
  #watch: { unwatch(): void } | undefined;
  #state: XenbusStateValue = XenbusState.Initialising;
  #link: ConsoleLink | undefined;
  #backend: ConsoleBackend | undefined;

  constructor(ports: ConsoleConnectPorts) {
    this.#ports = ports;
  }

  /** The console, while the guest is connected to it. */
  get console(): ConsoleBackend | undefined {
    return this.#backend;
  }

  /** Offers the console to the guest and follows what the guest does from now on. */
  start(): void {
    this.#enter(XenbusState.InitWait);
    this.#watch = this.#ports.store.watch(`${this.#ports.frontend}/state`, () => this.#follow());
  }

  /** Takes the console away from the guest. */
  destroy(): void {
    this.#watch?.unwatch();
    this.#watch = undefined;
    this.#close();
  }

  #follow(): void {
    switch (this.#readNumber('state')) {
      case XenbusState.Initialising:
        if (this.#state === XenbusState.Closed) {
          this.#enter(XenbusState.InitWait); // the guest starts anew
        }
        break;
      case XenbusState.Initialised:
      case XenbusState.Connected:
        if (this.#state === XenbusState.InitWait) {
          this.#connect();
        }
        break;
      case XenbusState.Closing:
      case XenbusState.Closed:
      case XenbusState.Unknown:
      case undefined:
        this.#close();
        break;
      default:
        break; // a state that asks nothing of us
    }
  }

  #connect(): void {
    const ringRef = this.#readNumber('ring-ref');
    const port = this.#readNumber('port');
    const kick = (): void => this.#backend?.kick();
    const link = ringRef === undefined || port === undefined ? undefined : this.#ports.open(ringRef, port, kick);
    if (link === undefined) {
      this.#ports.log.warn(`${this.#ports.name}: the guest's ring-ref or port is not usable; the console is closed`);
      this.#close();
      return;
    }
    this.#link = link;
    this.#backend = new ConsoleBackend({ ...this.#ports, page: link.page, notify: link.notify });
    this.#backend.start();
    this.#enter(XenbusState.Connected);
  }

  #close(): void {
    this.#backend?.destroy();
    this.#backend = undefined;
    this.#link?.close();
    this.#link = undefined;
    if (this.#state !== XenbusState.Closed) {
      this.#enter(XenbusState.Closing);
      this.#enter(XenbusState.Closed);
    }
  }

  #enter(state: XenbusStateValue): void {
    this.#state = state;
    this.#ports.store.write(`${this.#ports.backend}/state`, String(state));
  }

  /** A number that the guest wrote; undefined if it wrote none that fits in a u32. */
  #readNumber(name: string): number | undefined {
    const text = this.#ports.store.read(`${this.#ports.frontend}/${name}`) ?? '';
    const value = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
    return value !== undefined && value <= 0xffffffff ? value : undefined;
  }
}
