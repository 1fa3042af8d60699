// Arguments of random hypercalls. Purely random numbers are refused at the first check, so most are
// plausible: the domain's own frames, its page tables, entries for them, addresses that are mapped or
// almost, small numbers, and structures made of these.

import { DomidReserved, GnttabOp, Hypercall, MmuExt, XenMem } from '../../../src/abi/index.ts';
import { M2P, VIRT_BASE } from '../guest/constants.ts';
import { Command } from './fuzz-kernel.ts';
import type { SeededRandom } from './random.ts';

/** Page of the buffer that holds the structures of scripts. */
export const SCRIPT_PAGE = 2;

/** What is known of the domain that the arguments are for. */
export interface FuzzTarget {
  readonly mfns: Uint32Array;
  /** pfns of its page tables, and of the pages that nothing but commands use. */
  readonly tablePfns: readonly number[];
  readonly sparePfns: readonly number[];
  readonly nrFrames: number;
  readonly addresses: Readonly<Record<string, bigint>>;
  readonly domid: number;
}

/** Makes commands for one domain. */
export class FuzzArguments {
  readonly #random: SeededRandom;
  readonly #target: FuzzTarget;
  /** Commands of a script that has been begun. */
  readonly #script: bigint[][] = [];
  /** Structures of the scripts of this batch: one page of the buffer. */
  readonly #structures: bigint[] = [];

  constructor(random: SeededRandom, target: FuzzTarget) {
    this.#random = random;
    this.#target = target;
  }

  /** Begins a batch: the structures of the last one are not needed any more. */
  beginBatch(): void {
    this.#script.length = 0;
    this.#structures.length = 0;
  }

  /** One command: kind and six arguments. */
  command(): bigint[] {
    const random = this.#random;
    const begun = this.#script.shift();
    if (begun !== undefined) return begun;
    if (random.once(40) && this.#structures.length < 480) {
      this.#beginScript();
      return this.command();
    }
    const kind = random.below(100);
    if (kind < 80) return [BigInt(Command.HYPERCALL), ...this.#hypercall()];
    if (kind < 88) {
      const how = Command.STORE + random.below(5);
      return [BigInt(how), random.once(3) ? this.#page() : this.#entryAddress(), this.entry()];
    }
    if (kind < 91) {
      // A frame of the last page, or, once in a while, whatever is there.
      const aligned = 12288 + random.below(56) * 72;
      const offset = BigInt(random.once(40) ? random.below(2000) * 8 : aligned);
      return random.once(3) ? [BigInt(Command.NATIVE_IRET), 0n, offset + 32n] : [BigInt(Command.IRET), 0n, offset];
    }
    if (kind < 92 && random.once(10)) return [BigInt(Command.TRAP_ON_STACK), this.address()];
    if (kind < 95) return [BigInt(Command.SELECTORS), BigInt(random.once(2) ? random.below(64) : random.below(65536))];
    if (kind < 97) return [BigInt(Command.MSR), this.#msr(), this.value()];
    if (kind < 98 && random.once(4)) return [BigInt(Command.JUMP), this.address()];
    return [BigInt(Command.LOAD), this.address()];
  }

  /** A value for a field of a structure, or for anything. */
  value(): bigint {
    const random = this.#random;
    switch (random.below(10)) {
      case 0:
      case 1:
        return BigInt(random.below(24));
      case 2:
      case 3:
        return BigInt(this.#frame());
      case 4:
        return this.entry();
      case 5:
        return this.address();
      case 6:
        return this.#entryMachineAddress();
      case 7:
        return BigInt(random.below(16)) | (BigInt(random.once(2) ? this.#domid() : random.below(32)) << 32n);
      case 8:
        return random.pick([-1n, 0x8000_0000_0000n, 1n << 63n, 0xffffffffn, 0x7fffffffn, BigInt(this.#domid()), 0n]);
      default:
        return random.u64();
    }
  }

  /** A word of an iret context: most are good, so that some frames are. */
  #frameWord(index: number): bigint {
    const random = this.#random;
    const { addresses } = this.#target;
    const good = !random.once(8);
    switch (index) {
      case 3:
        return good ? 0n : random.pick([0x100n, random.u64()]);
      case 4:
        return good ? (addresses['caught'] ?? 0n) : this.address();
      case 5:
        return good
          ? random.pick([0xe033n, 0xe030n])
          : random.pick([0xe02bn, 0xe023n, 0x33n, 0x10n, 0n, 3n, BigInt(random.below(65536))]);
      case 6:
        return good ? 0x202n : random.pick([0x3202n, 0n, 0x100n, 0x23002n, BigInt(random.u32())]);
      case 7:
        return good || !random.once(5) ? (addresses['stack'] ?? 0n) + 8192n : this.address();
      case 8:
        return good ? 0xe02bn : random.pick([0n, 3n, 0xe033n, 0x2bn, BigInt(random.below(65536))]);
      default:
        return this.value();
    }
  }

  /** A virtual address: mostly one that is mapped. */
  address(): bigint {
    const random = this.#random;
    const { addresses } = this.#target;
    const inPage = BigInt(random.once(4) ? random.below(4096) : random.below(512) * 8);
    switch (random.below(12)) {
      case 0:
        return 0n;
      case 1:
        return random.pick([
          M2P,
          0xffff_8300_0000_0000n,
          0xffff_87ff_ffff_fff8n,
          0x8000_0000_0000n,
          -1n,
          0x7fff_ffff_fff8n,
        ]);
      case 2:
        return VIRT_BASE + BigInt(random.below(1200)) * 4096n + inPage;
      case 3:
        return this.#entryAddress();
      case 4:
      case 5:
        return (addresses['spare'] ?? 0n) + BigInt(random.below(16)) * 4096n + inPage;
      case 6:
        return (addresses['shared_info'] ?? 0n) + inPage;
      default:
        return this.#buffer();
    }
  }

  /**
   * The attack that every rule about types is there for: have a page writable in the TLB, make a table or a
   * descriptor page of it, and write to it again.
   */
  #beginScript(): void {
    const random = this.#random;
    const pfn = random.pick(this.#target.sparePfns);
    const frame = BigInt(this.#target.mfns[pfn] ?? 0);
    const page = VIRT_BASE + BigInt(pfn) * 4096n;
    const self = BigInt(DomidReserved.DOMID_SELF);
    const store = (): bigint[] => [BigInt(Command.STORE), page + BigInt(random.below(512) * 8), this.entry()];
    const map = (flags: bigint, flush: number): bigint[] => [
      BigInt(Command.HYPERCALL),
      ...call(Hypercall.__HYPERVISOR_update_va_mapping, page, (frame << 12n) | flags, BigInt(flush)),
    ];
    const mmuext = (cmd: number): bigint[] => [
      BigInt(Command.HYPERCALL),
      ...call(Hypercall.__HYPERVISOR_mmuext_op, this.#put(BigInt(cmd), frame, 0n), 1n, 0n, self),
    ];
    const gdt = (entries: number): bigint[] => [
      BigInt(Command.HYPERCALL),
      ...call(Hypercall.__HYPERVISOR_set_gdt, this.#put(frame), BigInt(entries)),
    ];
    const use = random.once(4) ? gdt(512) : mmuext(random.below(4));
    this.#script.push(map(0x63n, 2), store(), map(0x21n, random.below(3)), use, store(), store());
    if (random.once(2)) this.#script.push(map(0x63n, 2), store());
    if (random.once(2)) this.#script.push(mmuext(MmuExt.MMUEXT_NEW_BASEPTR), mmuext(MmuExt.MMUEXT_NEW_USER_BASEPTR));
    if (random.once(2))
      this.#script.push(mmuext(MmuExt.MMUEXT_UNPIN_TABLE), gdt(0), map(0x63n, random.below(3)), store());
  }

  /** Keeps a structure for a script. @returns its address */
  #put(...words: bigint[]): bigint {
    const at = this.#structures.push(...words) - words.length;
    return (this.#target.addresses['buffer'] ?? 0n) + BigInt(SCRIPT_PAGE * 4096 + at * 8);
  }

  /** Writes the structures of the scripts over what is in their page. */
  fillStructures(words: BigUint64Array): void {
    for (const [i, word] of this.#structures.entries()) words[i] = BigInt.asUintN(64, word);
  }

  #buffer(): bigint {
    const random = this.#random;
    return (
      (this.#target.addresses['buffer'] ?? 0n) + BigInt(random.once(8) ? random.below(16384) : random.below(2000) * 8)
    );
  }

  #page(): bigint {
    const { sparePfns } = this.#target;
    if (this.#random.once(8)) return this.address();
    return VIRT_BASE + BigInt(this.#random.pick(sparePfns)) * 4096n;
  }

  #frame(): number {
    const random = this.#random;
    const { mfns, sparePfns, tablePfns, nrFrames } = this.#target;
    const roll = random.below(10);
    if (roll < 4) return mfns[random.pick(sparePfns)] ?? 0;
    if (roll < 7) return mfns[random.pick(tablePfns)] ?? 0;
    if (roll < 8) return random.pick(mfns);
    return random.once(8) ? random.u32() : random.below(nrFrames + 4);
  }

  /** A page-table entry. */
  entry(): bigint {
    const random = this.#random;
    const flags = random.pick([
      0x63n,
      0x67n,
      0x61n,
      0x21n,
      0x25n,
      0x67n,
      0n,
      0xe7n,
      0x167n,
      BigInt(random.below(4096)),
    ]);
    const high = random.once(10) ? random.u64() & 0xfff0_0000_0000_0000n : 0n;
    return (BigInt(this.#frame()) << 12n) | flags | high;
  }

  #entryMachineAddress(): bigint {
    const random = this.#random;
    const { mfns, tablePfns, sparePfns } = this.#target;
    const table = mfns[random.once(4) ? random.pick(sparePfns) : random.pick(tablePfns)] ?? 0;
    return (BigInt(table) << 12n) | BigInt(this.#slot() * 8 + random.pick([0, 0, 0, 1, 2, 3]));
  }

  /** Slots of the spare pages more often than those that the kernel needs. */
  #slot(): number {
    const random = this.#random;
    return random.once(3) ? random.below(512) : random.pick(this.#target.sparePfns) % 512;
  }

  #entryAddress(): bigint {
    const random = this.#random;
    const table = this.#random.pick(this.#target.tablePfns);
    return VIRT_BASE + BigInt(table) * 4096n + BigInt(this.#slot() * 8 + (random.once(8) ? random.below(8) : 0));
  }

  #domid(): number {
    const { domid } = this.#target;
    return this.#random.pick([
      DomidReserved.DOMID_SELF,
      DomidReserved.DOMID_SELF,
      domid,
      3 - domid,
      domid + 1,
      0,
      0x7ff1,
      0x7ff2,
      0xffff,
    ]);
  }

  #msr(): bigint {
    return BigInt(
      this.#random.pick([
        0x10,
        0x1b,
        0x277,
        0xc0000080,
        0xc0000100,
        0xc0000101,
        0xc0000102,
        0xc0000082,
        this.#random.u32(),
      ]),
    );
  }

  /** Number and five arguments of a hypercall. */
  #hypercall(): bigint[] {
    const random = this.#random;
    const small = (end: number): bigint => BigInt(random.below(end));
    const self = BigInt(random.once(6) ? this.#domid() : DomidReserved.DOMID_SELF);
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
        return call(
          Hypercall.__HYPERVISOR_mmu_update,
          this.#buffer(),
          small(4),
          random.once(4) ? this.address() : 0n,
          self,
        );
      case 3:
      case 4:
        return call(Hypercall.__HYPERVISOR_mmuext_op, this.#buffer(), small(4), 0n, self);
      case 5:
      case 6:
        return call(
          Hypercall.__HYPERVISOR_update_va_mapping,
          this.#page(),
          this.entry(),
          random.once(8) ? this.value() : small(8),
        );
      case 7:
        return call(Hypercall.__HYPERVISOR_memory_op, small(30), this.#buffer());
      case 8:
        return call(Hypercall.__HYPERVISOR_grant_table_op, small(13), this.#buffer(), small(4));
      case 9:
        return call(Hypercall.__HYPERVISOR_event_channel_op, small(15), this.#buffer());
      case 10:
        return call(Hypercall.__HYPERVISOR_vcpu_op, small(14), random.once(2) ? 0n : small(5), this.#buffer());
      case 11:
        return random.once(2)
          ? call(Hypercall.__HYPERVISOR_set_gdt, this.#buffer(), small(random.once(4) ? 8000 : 600))
          : call(Hypercall.__HYPERVISOR_update_descriptor, this.#entryMachineAddress(), this.value());
      case 12:
        return call(Hypercall.__HYPERVISOR_multicall, this.#buffer(), small(5));
      default:
        return this.#anyHypercall();
    }
  }

  #anyHypercall(): bigint[] {
    const random = this.#random;
    const number = random.once(50) ? Number(random.u64() & 0xffffffffn) : random.below(64);
    // Shutting down, and blocking without a reason to wake up, end the game too early to be tried often.
    const stops: readonly number[] = [
      Hypercall.__HYPERVISOR_sched_op,
      Hypercall.__HYPERVISOR_sched_op_compat,
      Hypercall.__HYPERVISOR_iret,
    ];
    if (stops.includes(number) && !random.once(20)) return this.#anyHypercall();
    // A trap table of nothing ends the domain at its next trap.
    if (number === Hypercall.__HYPERVISOR_set_trap_table && !random.once(20)) return this.#anyHypercall();
    // The console is how the kernel asks for more.
    if (number === Hypercall.__HYPERVISOR_console_io) return this.#anyHypercall();
    return [BigInt(number), ...Array.from({ length: 5 }, () => this.value())];
  }

  /** Contents of the buffer: structures of the calls that take them, and random words between. */
  fillBuffer(words: BigUint64Array): void {
    for (let i = 0; i < words.length;) i += this.#structure(words, i);
  }

  /** A page of iret contexts. */
  fillFrames(words: BigUint64Array): void {
    for (let i = 0; i < words.length; i++) words[i] = BigInt.asUintN(64, this.#frameWord(i % 9));
  }

  #structure(words: BigUint64Array, at: number): number {
    const random = this.#random;
    const put = (...values: bigint[]): number => {
      for (const [i, value] of values.entries()) if (at + i < words.length) words[at + i] = BigInt.asUintN(64, value);
      return values.length;
    };
    const self = BigInt(DomidReserved.DOMID_SELF);
    const frame = (): bigint => BigInt(this.#frame());
    switch (random.below(8)) {
      case 0: // mmu_update
        return put(this.#entryMachineAddress(), this.entry());
      case 1: // mmuext_op
        return put(
          BigInt(random.below(Object.keys(MmuExt).length + 2)),
          random.once(5) ? this.value() : frame(),
          this.value(),
        );
      case 2: // a memory reservation
        return put(
          this.#buffer(),
          BigInt(random.below(4)),
          BigInt(random.once(8) ? random.below(20) : 0),
          random.once(8) ? this.value() : self,
        );
      case 3: // extents
        return put(frame(), frame(), BigInt(random.below(1100)), BigInt(random.below(1100)));
      case 4: // a grant mapping
        return put(
          random.once(2) ? this.#page() : this.#entryMachineAddress(),
          BigInt(random.below(32)) | (BigInt(random.below(10)) << 32n),
          BigInt(random.once(2) ? this.#domid() : 3 - this.#target.domid),
          0n,
        );
      case 5: // a grant copy
        return put(
          frame(),
          self | (BigInt(random.below(4096)) << 16n),
          frame(),
          self,
          BigInt(random.below(5000)) | (BigInt(random.below(4)) << 16n),
        );
      case 6: // a multicall entry
        return put(...this.#multicallEntry());
      default:
        return put(this.value());
    }
  }

  #multicallEntry(): bigint[] {
    const [number = 0n, ...args] = this.#random.once(4) ? this.#anyHypercall() : this.#plainHypercall();
    return [number, 0n, ...args, ...Array.from({ length: Math.max(0, 6 - args.length) }, () => 0n)].slice(0, 8);
  }

  #plainHypercall(): bigint[] {
    const random = this.#random;
    return random.pick([
      [BigInt(Hypercall.__HYPERVISOR_update_va_mapping), this.#page(), this.entry(), 2n],
      [BigInt(Hypercall.__HYPERVISOR_mmu_update), this.#buffer(), 1n, 0n, BigInt(DomidReserved.DOMID_SELF)],
      [BigInt(Hypercall.__HYPERVISOR_memory_op), BigInt(XenMem.XENMEM_populate_physmap), this.#buffer()],
      [BigInt(Hypercall.__HYPERVISOR_grant_table_op), BigInt(GnttabOp.GNTTABOP_map_grant_ref), this.#buffer(), 1n],
    ]);
  }
}

function call(number: number, ...args: bigint[]): bigint[] {
  return [BigInt(number), ...args];
}
