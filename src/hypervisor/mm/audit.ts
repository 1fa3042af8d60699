// Recounts every frame's references and type references from what really refers to it, and compares with
// the frame table. For tests after each attempt of a hostile guest, and for looking into a bug; slow, and
// independent of the code that keeps the counts.

import { domid, type Mfn } from '../../base/index.ts';
import { FrameFlag, FrameType, OWNER_FREE, OWNER_XEN } from '../../machine/index.ts';
import { frameOfPte, Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import type { Domain } from '../domain.ts';
import { isHypervisorSlot, L1_FORBIDDEN, UPPER_FORBIDDEN } from './entry-rules.ts';
import type { MemoryState } from './memory-state.ts';

/** Tells the audit of one reference that something outside memory management holds: `getFrame` of the port. */
export type ReportReference = (frame: Mfn | number, writable: boolean) => void;

/** What the audit has to be told about the world outside memory management. */
export interface AuditPorts {
  /** Reports each reference held outside: grants of domain 0, registered vcpu_info frames. Not granted mappings. */
  readonly references?: (report: ReportReference) => void;
  /** True when a domain may map another's frame, by a grant. Without it any domain's frame may be mapped. */
  readonly isGranted?: (mapper: number, frame: number, writable: boolean) => boolean;
}

/** u32 words of a page table. */
const WORDS = PTES_PER_TABLE * 2;

/**
 * Audits all frames.
 * @returns one line for each disagreement; none when all is well
 */
export function audit(mm: MemoryState, ports: AuditPorts = {}): string[] {
  const count = new Recount(mm, ports);
  for (let frame = 0; frame < mm.frames.nrFrames; frame++) count.frameState(frame);
  for (const domain of mm.pcpu.domains.values()) count.vcpus(domain);
  ports.references?.((frame, writable) => {
    count.add(frame, writable ? FrameType.WRITABLE : FrameType.NONE, 'external');
  });
  return count.compare();
}

class Recount {
  readonly #mm: MemoryState;
  readonly #ports: AuditPorts;
  readonly #references: Uint32Array;
  readonly #typeReferences: Uint32Array;
  readonly #lines: string[] = [];

  constructor(mm: MemoryState, ports: AuditPorts) {
    this.#mm = mm;
    this.#ports = ports;
    this.#references = new Uint32Array(mm.frames.nrFrames);
    this.#typeReferences = new Uint32Array(mm.frames.nrFrames);
  }

  /** Counts one reference, and a type reference unless `type` is NONE. */
  add(frame: number, type: number, by: string): void {
    const { frames } = this.#mm;
    if (frame >= frames.nrFrames) {
      this.#lines.push(`${by} refers to frame ${frame}, which does not exist`);
      return;
    }
    this.#references[frame] = (this.#references[frame] ?? 0) + 1;
    if (type === FrameType.NONE) return;
    this.#typeReferences[frame] = (this.#typeReferences[frame] ?? 0) + 1;
    const actual = frames.type[frame];
    const fits = actual === type || (type === FrameType.WRITABLE && actual === FrameType.SHARED);
    if (!fits) this.#lines.push(`${by} uses frame ${frame} as type ${type}, but it is of type ${actual}`);
  }

  /** Counts what a frame's own flags stand for, and what its entries refer to when it is a page table. */
  frameState(frame: number): void {
    const { frames, progress } = this.#mm;
    const flags = frames.flags[frame] ?? 0;
    const owner = frames.owner[frame] ?? 0;
    const type = frames.type[frame] ?? 0;
    if (owner === OWNER_FREE) this.#freeFrame(frame);
    if (owner === OWNER_FREE || owner === OWNER_XEN) return;
    if ((flags & FrameFlag.ALLOCATED) !== 0) {
      this.add(frame, type === FrameType.SHARED ? FrameType.SHARED : FrameType.NONE, `allocation of ${frame}`);
    }
    const isTable = type >= FrameType.L1 && type <= FrameType.L4;
    if ((flags & FrameFlag.PINNED) !== 0) this.add(frame, type, `pin of ${frame}`);
    const unfinished = (flags & (FrameFlag.PARTIAL | FrameFlag.DEMOTING)) !== 0;
    if (unfinished) this.add(frame, type, `unfinished state of ${frame}`);
    if (!isTable || frames.typeCount[frame] === 0) return;
    const end = unfinished ? (progress[frame] ?? 0) : PTES_PER_TABLE;
    if (!unfinished && (flags & FrameFlag.VALIDATED) === 0) this.#lines.push(`table ${frame} is used unvalidated`);
    for (let i = 0; i < end; i++) this.#entry(frame, type, i, owner);
  }

  /** Counts what the vCPUs of a domain refer to. */
  vcpus(domain: Domain): void {
    for (const vcpu of domain.vcpus) {
      const by = `vCPU ${vcpu.id} of domain ${domain.domid}`;
      if (vcpu.kernelRoot !== 0) this.add(vcpu.kernelRoot, FrameType.L4, `kernel root of ${by}`);
      if (vcpu.userRoot !== 0) this.add(vcpu.userRoot, FrameType.L4, `user root of ${by}`);
      for (let i = 0; i < Math.ceil(vcpu.gdtEntries / 512); i++) {
        this.add(vcpu.gdtFrames[i] ?? 0, FrameType.SEGMENT_DESCRIPTOR, `GDT of ${by}`);
      }
      for (const frame of vcpu.ldtFrames) {
        if (frame !== 0) this.add(frame, FrameType.SEGMENT_DESCRIPTOR, `LDT of ${by}`);
      }
    }
  }

  /** Compares with the frame table. */
  compare(): string[] {
    const { frames, pcpu } = this.#mm;
    const owned = new Map<number, number>();
    for (let frame = 0; frame < frames.nrFrames; frame++) {
      const owner = frames.owner[frame] ?? 0;
      if (owner === OWNER_XEN) continue;
      this.#compareCount(frame, 'reference', frames.refCount[frame] ?? 0, this.#references[frame] ?? 0);
      this.#compareCount(frame, 'type', frames.typeCount[frame] ?? 0, this.#typeReferences[frame] ?? 0);
      if (frames.type[frame] !== FrameType.SHARED) owned.set(owner, (owned.get(owner) ?? 0) + 1);
    }
    for (const domain of pcpu.domains.values()) {
      const real = owned.get(domain.domid) ?? 0;
      if (real !== domain.nrFrames) {
        this.#lines.push(`domain ${domain.domid} owns ${real} frames, its count says ${domain.nrFrames}`);
      }
    }
    const free = owned.get(OWNER_FREE) ?? 0;
    if (free < pcpu.allocator.nrFree) this.#lines.push(`${pcpu.allocator.nrFree} frames free, ${free} without owner`);
    return this.#lines;
  }

  #compareCount(frame: number, what: string, kept: number, real: number): void {
    if (kept === real) return;
    const { frames } = this.#mm;
    const state = `owner ${frames.owner[frame]}, type ${frames.type[frame]}, flags ${frames.flags[frame]}`;
    this.#lines.push(`frame ${frame} (${state}): ${what} count is ${kept}, should be ${real}`);
  }

  #freeFrame(frame: number): void {
    const { flags, refCount, typeCount } = this.#mm.frames;
    if (refCount[frame] !== 0 || typeCount[frame] !== 0) this.#lines.push(`free frame ${frame} has references`);
    if (((flags[frame] ?? 0) & ~FrameFlag.USED) !== 0)
      this.#lines.push(`free frame ${frame} has flags ${flags[frame]}`);
    if (!this.#mm.m2p.isClear(frame)) this.#lines.push(`free frame ${frame} has a pfn`);
  }

  #entry(table: number, type: number, i: number, owner: number): void {
    const { frames, memory } = this.#mm;
    const lo = memory.u32[table * WORDS + 2 * i] ?? 0;
    const frame = frameOfPte(lo, memory.u32[table * WORDS + 2 * i + 1] ?? 0);
    const by = `entry ${i} of L${type} table ${table}`;
    if ((lo & Pte.PRESENT) === 0) return;
    if (type === FrameType.L4 && isHypervisorSlot(i)) {
      this.#lines.push(`${by} is in a slot of the hypervisor`);
      return;
    }
    if ((lo & (type === FrameType.L1 ? L1_FORBIDDEN : UPPER_FORBIDDEN)) !== 0) this.#lines.push(`${by} has bad bits`);
    const leaf = (lo & Pte.WRITABLE) !== 0 ? FrameType.WRITABLE : FrameType.NONE;
    this.add(frame, type === FrameType.L1 ? leaf : type - 1, by);
    // Only a leaf may refer to another domain's frame, by a grant.
    const other = frames.owner[frame] ?? OWNER_FREE;
    const granted =
      type === FrameType.L1 &&
      this.#mm.pcpu.domains.has(domid(other)) &&
      (this.#ports.isGranted?.(owner, frame, leaf === FrameType.WRITABLE) ?? true);
    if (other !== owner && !granted) this.#lines.push(`${by} refers to frame ${frame} of owner ${other}`);
  }
}
