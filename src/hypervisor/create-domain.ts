// Making a domain and its vCPUs: an empty shell with a shared information page and a grant table. Its
// memory, its first page tables and the registers of vCPU 0 are the builder's, through `Control`.

import { VCPU_INFO, VCPU_INFO_SIZE } from '../abi/index.ts';
import { type Domid, VmmError } from '../base/index.ts';
import { Cpu } from '../engine/index.ts';
import { Domain, type DomainLimits } from './domain.ts';
import { growGrantTable } from './grant/table-size.ts';
import { addressIn } from './memory-management.ts';
import type { Pcpu } from './pcpu.ts';
import { writeTimeRecord, writeWallClock } from './time/clock-record.ts';
import { Vcpu } from './vcpu.ts';

/** Makes a domain. Throws `VmmError` when there is no memory for its shared frames. */
export function createDomain(pcpu: Pcpu, domid: Domid, name: string, limits: DomainLimits): Domain {
  const domain = new Domain(domid, name, limits);
  pcpu.domains.set(domid, domain);
  const sharedInfo = pcpu.mm.allocateShared(domain);
  if (sharedInfo === undefined) {
    pcpu.domains.delete(domid);
    throw new VmmError(
      'NO_MEMORY',
      `No memory left for domain ${name}: destroy another domain or give the machine more memory.`,
    );
  }
  domain.sharedInfo = sharedInfo;
  if (!growGrantTable(pcpu, domain, 1)) {
    domain.dying = true;
    while (!pcpu.mm.relinquish(domain, Infinity)); // nobody else refers to its one frame
    pcpu.domains.delete(domid);
    throw new VmmError(
      'NO_MEMORY',
      `No memory left for domain ${name}: destroy another domain or give the machine more memory.`,
    );
  }
  for (let id = 0; id < limits.maxVcpus; id++) domain.vcpus.push(createVcpu(pcpu, domain, id));
  writeWallClock(pcpu, domain);
  return domain;
}

function createVcpu(pcpu: Pcpu, domain: Domain, id: number): Vcpu {
  const vcpu = new Vcpu(domain, id, pcpu.engine.createContext());
  vcpu.infoAddress = addressIn(domain.sharedInfo, id * VCPU_INFO_SIZE);
  pcpu.memory.u8[vcpu.infoAddress + VCPU_INFO.evtchn_upcall_mask] = 1;
  writeTimeRecord(pcpu, vcpu);
  vcpu.runstateEntryNs = pcpu.clock.nowNs();
  vcpu.context.state.writeU32(Cpu.KERNEL_MODE, 1);
  return vcpu;
}
