// The nodes that every domain has from its creation on: its directory with what it may read and what it may write, the
// toolstack's own notes about it, and its primary console. Called by the toolstack's builder before the domain runs.
// Names, order, values and permissions are those that `xl create` of Xen 4.17 leaves behind for a PV domain.

import type { Domid, Mfn, Port } from '../base/index.ts';
import type { LocalStore, LocalTransaction } from './local.ts';
import { domainPath } from './path.ts';

/** What the nodes of a domain tell. */
export interface DomainNodes {
  readonly domid: Domid;
  readonly name: string;
  /** Canonical text form of the domain's UUID. */
  readonly uuid: string;
  /** vCPUs that are online at the start, and in all. */
  readonly onlineVcpus: number;
  readonly maxVcpus: number;
  /** Memory it may have at most, and is to have now, in KiB. */
  readonly maxMemoryKib: number;
  readonly targetMemoryKib: number;
  /** Its ends of the store's and the console's event channels, and the frames of their ring pages. */
  readonly storePort: Port;
  readonly storeFrame: Mfn;
  readonly consolePort: Port;
  readonly consoleFrame: Mfn;
  /** Bytes of console output that are kept for who looks later. */
  readonly consoleLimitBytes: number;
  /** Type of the guest's kernel, such as `linux`. */
  readonly osType: string;
  /** Seconds since 1970, of the start. */
  readonly startTimeS: number;
}

/** Makes the nodes of a domain as one transaction; what an earlier domain of this domid left behind is removed. */
export function createDomainNodes(store: LocalStore, nodes: DomainNodes): void {
  store.transaction((transaction) => {
    writeDirectories(transaction, nodes);
    writeMachine(transaction, nodes);
    writeConsole(transaction, nodes);
  });
}

/** Removes every node of a domain: its directory, the toolstack's notes, and its devices' backend directories. */
export function removeDomainNodes(store: LocalStore, domid: Domid, uuid: string): void {
  store.transaction((transaction) => {
    transaction.rm(domainPath(domid));
    transaction.rm(vmPath(uuid));
    transaction.rm(toolPath(domid));
    for (const kind of transaction.directory('backend') ?? []) {
      transaction.rm(`backend/${kind}/${domid}`);
    }
  });
}

/** Backend directory of a device of a domain, such as `/local/domain/0/backend/vbd/1/51712`. */
export function backendPath(kind: string, domid: Domid, handle: number): string {
  return `/local/domain/0/backend/${kind}/${domid}/${handle}`;
}

/** Parts of a domain's directory that it may write, from its start on. */
const WRITABLE = ['data', 'drivers', 'feature', 'attr', 'error'];
const CONTROL = ['shutdown', 'feature-poweroff', 'feature-reboot', 'feature-suspend', 'sysrq'];

function writeDirectories(store: LocalTransaction, { domid, name, uuid }: DomainNodes): void {
  const home = domainPath(domid);
  const readable = ['n0', `r${domid}`];
  const writable = [`n${domid}`];
  const make = (path: string, permissions: readonly string[]): void => {
    store.rm(path);
    store.mkdir(path);
    store.setPermissions(path, permissions);
  };
  make(home, readable);
  make(vmPath(uuid), readable);
  make(toolPath(domid), ['n0']);
  make(`${toolPath(domid)}/device`, ['n0']);
  store.write(`${home}/vm`, vmPath(uuid));
  store.write(`${home}/name`, name);
  for (const part of ['cpu', 'memory', 'device']) {
    make(`${home}/${part}`, readable);
  }
  make(`${home}/device/suspend/event-channel`, writable);
  make(`${home}/control`, readable);
  for (const part of CONTROL) {
    make(`${home}/control/${part}`, writable);
  }
  for (const part of WRITABLE) {
    make(`${home}/${part}`, writable);
  }
  store.write(`${home}/control/platform-feature-multiprocessor-suspend`, '1');
  store.write(`${home}/control/platform-feature-xs_reset_watches`, '1');
}

function writeMachine(store: LocalTransaction, nodes: DomainNodes): void {
  const home = domainPath(nodes.domid);
  const vm = vmPath(nodes.uuid);
  store.write(`${vm}/uuid`, nodes.uuid);
  store.write(`${vm}/name`, nodes.name);
  store.write(`${toolPath(nodes.domid)}/type`, 'pv');
  store.write(`${home}/memory/static-max`, String(nodes.maxMemoryKib));
  store.write(`${home}/memory/target`, String(nodes.targetMemoryKib));
  store.write(`${home}/memory/videoram`, '0');
  store.write(`${home}/domid`, String(nodes.domid));
  store.write(`${home}/store/port`, String(nodes.storePort));
  store.write(`${home}/store/ring-ref`, String(nodes.storeFrame));
  for (let vcpu = 0; vcpu < nodes.maxVcpus; vcpu++) {
    store.write(`${home}/cpu/${vcpu}/availability`, vcpu < nodes.onlineVcpus ? 'online' : 'offline');
  }
  store.write(`${vm}/image/ostype`, nodes.osType);
  store.write(`${vm}/start_time`, nodes.startTimeS.toFixed(2));
}

function writeConsole(store: LocalTransaction, nodes: DomainNodes): void {
  const { domid } = nodes;
  const front = `${domainPath(domid)}/console`;
  const back = backendPath('console', domid, 0);
  const notes = `${toolPath(domid)}/device/console/0`;
  const readable = ['n0', `r${domid}`];
  store.write(`${notes}/frontend`, front);
  store.write(`${notes}/backend`, back);
  const fields: readonly (readonly [string, string])[] = [
    ['backend', back],
    ['backend-id', '0'],
    ['limit', String(nodes.consoleLimitBytes)],
    ['type', 'xenconsoled'],
    ['output', 'pty'],
    ['tty', ''],
    ['port', String(nodes.consolePort)],
    ['ring-ref', String(nodes.consoleFrame)],
  ];
  store.mkdir(front);
  store.setPermissions(front, readable);
  for (const [name, value] of fields) {
    store.write(`${front}/${name}`, value);
    store.setPermissions(`${front}/${name}`, name === 'backend-id' ? [`n${domid}`, 'r0'] : readable);
  }
  store.rm(back);
  store.mkdir(back);
  store.setPermissions(back, readable);
  for (const [name, value] of [
    ['frontend', front],
    ['frontend-id', String(domid)],
    ['online', '1'],
    ['state', '1'],
    ['protocol', 'vt100'],
  ] as const) {
    store.write(`${back}/${name}`, value);
  }
}

function vmPath(uuid: string): string {
  return `/vm/${uuid}`;
}

function toolPath(domid: Domid): string {
  return `/libxl/${domid}`;
}
