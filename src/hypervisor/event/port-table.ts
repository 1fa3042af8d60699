// The event channel ports of one domain: what each port is bound to. Storage and allocation only; the
// operations are in `operations.ts`, delivery is in `delivery.ts`. Grows as ports are used, to 4096.

import { EVTCHN_2L_NR_CHANNELS } from '../../abi/index.ts';
import { type Port, port } from '../../base/index.ts';

/** What a port is. */
export const PortState = {
  FREE: 0,
  /** Set aside for a peer that has not bound it yet: `remoteDomid`. */
  UNBOUND: 1,
  /** Connected to `remotePort` of `remoteDomid`. */
  INTERDOMAIN: 2,
  /** Virtual interrupt number `remotePort`. */
  VIRQ: 3,
  /** From another vCPU of the same domain. */
  IPI: 4,
} as const;

/** A value of `PortState`. */
export type PortStateValue = (typeof PortState)[keyof typeof PortState];

const FIRST_CAPACITY = 64;

/** Ports of one domain. Port 0 is never used. */
export class PortTable {
  #state: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #vcpu: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #remoteDomid: Uint16Array = new Uint16Array(FIRST_CAPACITY);
  #remotePort: Uint16Array = new Uint16Array(FIRST_CAPACITY);

  /** Ports that exist now; numbers from here on are free. */
  get capacity(): number {
    return this.#state.length;
  }

  /** State of a port; FREE for any number that is no port. @hot */
  state(at: number): PortStateValue {
    return (this.#state[at] ?? 0) as PortStateValue; // only `bind` writes it
  }

  /** vCPU that the port notifies. @hot */
  vcpu(at: number): number {
    return this.#vcpu[at] ?? 0;
  }

  /** Makes another vCPU the one that the port notifies. */
  setVcpu(at: number, vcpu: number): void {
    this.#vcpu[at] = vcpu;
  }

  /** Domain at the other end. */
  remoteDomid(at: number): number {
    return this.#remoteDomid[at] ?? 0;
  }

  /** Port at the other end, or the number of the virtual interrupt. */
  remotePort(at: number): number {
    return this.#remotePort[at] ?? 0;
  }

  /** Lowest free port, or undefined when all 4096 are in use. */
  allocate(): Port | undefined {
    for (let at = 1; at < this.capacity; at++) if (this.#state[at] === PortState.FREE) return port(at);
    const at = this.capacity;
    if (at >= EVTCHN_2L_NR_CHANNELS) return undefined;
    this.#state = grown(this.#state, new Uint8Array(2 * at));
    this.#vcpu = grown(this.#vcpu, new Uint8Array(2 * at));
    this.#remoteDomid = grown(this.#remoteDomid, new Uint16Array(2 * at));
    this.#remotePort = grown(this.#remotePort, new Uint16Array(2 * at));
    return port(at);
  }

  /** Binds a port. */
  bind(at: Port, state: PortStateValue, remoteDomid: number, remotePort: number, vcpu: number): void {
    this.#state[at] = state;
    this.#vcpu[at] = vcpu;
    this.#remoteDomid[at] = remoteDomid;
    this.#remotePort[at] = remotePort;
  }

  /** Makes a port free. */
  release(at: number): void {
    this.#state[at] = PortState.FREE;
    this.#vcpu[at] = 0;
  }
}

function grown<T extends Uint8Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
