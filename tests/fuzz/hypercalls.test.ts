// Two hostile domains beside each other issue 100 000 random hypercalls, with random stores to page tables,
// random frames to return by and random traps between them. The hypervisor must survive, its counts must agree
// after every batch, and all memory must come back. FUZZ_SEED and FUZZ_COUNT change seed and length.

import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { Gtf } from '../../src/abi/index.ts';
import { HYPERCALLS } from '../../src/hypervisor/hypercall/table.ts';
import { FrameType } from '../../src/machine/index.ts';
import { FuzzArguments, SCRIPT_PAGE } from '../support/fuzz/arguments.ts';
import { BATCH, Command, COMMAND_SIZE, FUZZ_PAGES, fuzzKernel } from '../support/fuzz/fuzz-kernel.ts';
import { SeededRandom } from '../support/fuzz/random.ts';
import { VIRT_BASE } from '../support/guest/constants.ts';
import { type GuestDomain, GuestMachine } from '../support/guest-runner.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 0x5eed);
const NR_HYPERCALLS = Number(process.env['FUZZ_COUNT'] ?? 100_000);

/** Guest time between looks at whether the domains get on. */
const LOOK_NS = 60_000_000;
const NS_PER_INSTRUCTION = 1000;

/** Batches after which a domain is replaced, crashed or not. */
const MAX_BATCHES = 60;

/** A domain under test. */
interface Subject {
  readonly guest: GuestDomain;
  readonly fuzz: FuzzArguments;
  batches: number;
  batchesAtLastLook: number;
  /** It cannot be given commands any more. */
  lost: boolean;
}

class Fuzzer {
  readonly machine: GuestMachine;
  readonly #random = new SeededRandom(SEED);
  readonly #kernel = fuzzKernel();
  readonly #subjects: Subject[] = [];
  nrHypercalls = 0;
  nrDomains = 0;
  readonly crashes = new Map<string, number>();
  /** By hypercall number. */
  readonly tally = new Map<number, { issued: number; succeeded: number }>();

  constructor() {
    this.machine = new GuestMachine({
      nsPerInstruction: NS_PER_INSTRUCTION,
      seed: SEED,
      onConsoleIo: (domid) => this.#nextBatch(domid),
    });
  }

  run(): void {
    while (this.nrHypercalls < NR_HYPERCALLS) {
      while (this.#subjects.length < 2) this.#start();
      this.machine.run(LOOK_NS);
      for (const subject of this.#subjects.slice()) {
        const stopped = this.machine.shutdownReason(subject.guest) !== undefined;
        const idle = subject.batches === subject.batchesAtLastLook;
        subject.batchesAtLastLook = subject.batches;
        if (stopped || idle || subject.lost || subject.batches > MAX_BATCHES) this.#end(subject);
      }
      assert.deepEqual(this.machine.bugs, [], this.#where());
      assert.deepEqual(this.machine.auditLines, [], this.#where());
    }
    for (const subject of this.#subjects.slice()) this.#end(subject);
    assert.equal(this.machine.destroyAll(), 0);
    assert.deepEqual(this.machine.auditLines, [], this.#where());
  }

  #where(): string {
    return `seed ${SEED}, after ${this.nrHypercalls} hypercalls and ${this.nrDomains} domains`;
  }

  #start(): void {
    const { machine } = this;
    // Frames of a domain that ended can be held by another one for a while.
    if (machine.nrFreeFrames < 1200) for (const guest of machine.domains.slice()) machine.destroy(guest);
    const guest = machine.start(this.#kernel.file, { maxVcpus: 4, maxFrames: 1100 });
    const first = guest.mfns.indexOf(guest.built.l4);
    const spare = Number(((this.#kernel.addresses['spare'] ?? 0n) - VIRT_BASE) / 4096n);
    const target = {
      mfns: guest.mfns,
      tablePfns: Array.from({ length: guest.built.nrPtFrames }, (_, i) => first + i),
      sparePfns: Array.from({ length: FUZZ_PAGES.spare }, (_, i) => spare + i),
      nrFrames: machine.memory.nrFrames,
      addresses: this.#kernel.addresses,
      domid: guest.domid,
    };
    const fuzz = new FuzzArguments(this.#random, target);
    this.#subjects.push({ guest, fuzz, batches: 0, batchesAtLastLook: -1, lost: false });
    this.nrDomains++;
  }

  #end(subject: Subject): void {
    const reason = this.machine.crashReport(subject.guest)?.reason.replaceAll(/0x[0-9a-f]+|\d+/g, 'n') ?? 'no crash';
    this.crashes.set(reason, (this.crashes.get(reason) ?? 0) + 1);
    this.#subjects.splice(this.#subjects.indexOf(subject), 1);
    this.machine.destroy(subject.guest);
    this.machine.audit('after the end of a domain');
  }

  /** Called in the middle of the hypercall by which a kernel asks for commands. */
  #nextBatch(domid: number): void {
    const subject = this.#subjects.find(({ guest }) => guest.domid === domid);
    if (subject === undefined) return;
    if (subject.batches > 0) {
      this.nrHypercalls += subject.lost ? 0 : this.#countHypercalls(subject);
      this.machine.audit('after a batch');
    }
    subject.batches++;
    subject.lost = !this.#fill(subject);
  }

  #countHypercalls(subject: Subject): number {
    const words = this.#page(subject.guest, 'commands', 0);
    if (words === undefined) return 0;
    let count = 0;
    for (let i = 0; i < BATCH; i++) {
      const at = (i * COMMAND_SIZE) / 8;
      if (words[at] !== BigInt(Command.HYPERCALL)) continue;
      count++;
      const tally = this.tally.get(Number(words[at + 1])) ?? { issued: 0, succeeded: 0 };
      tally.issued++;
      if (BigInt.asIntN(64, words[at + 7] ?? 0n) >= 0n) tally.succeeded++;
      this.tally.set(Number(words[at + 1]), tally);
    }
    return count;
  }

  /** Writes commands, and what they refer to. @returns false when the domain has not the pages for that any more */
  #fill(subject: Subject): boolean {
    const { guest, fuzz } = subject;
    const commands = this.#page(guest, 'commands', 0);
    if (commands === undefined) return false;
    fuzz.beginBatch();
    for (let i = 0; i < BATCH; i++) {
      const at = (i * COMMAND_SIZE) / 8;
      commands.fill(0n, at, at + 8);
      for (const [word, value] of fuzz.command().entries()) commands[at + word] = BigInt.asUintN(64, value);
    }
    for (let page = 0; page < FUZZ_PAGES.buffer; page++) {
      const buffer = this.#page(guest, 'buffer', page);
      if (buffer === undefined) continue;
      if (page === FUZZ_PAGES.buffer - 1) fuzz.fillFrames(buffer);
      else fuzz.fillBuffer(buffer);
      if (page === SCRIPT_PAGE) fuzz.fillStructures(buffer);
    }
    this.#writeGrants(guest);
    this.#writeEntries(subject);
    return true;
  }

  /** A page of the kernel as the hypervisor sees it, if it still is an ordinary page of the domain. */
  #page(guest: GuestDomain, label: string, page: number): BigUint64Array | undefined {
    const { machine } = this;
    const pfn = Number(((this.#kernel.addresses[label] ?? 0n) - VIRT_BASE) / 4096n) + page;
    const frame = guest.mfns[pfn] ?? 0;
    const { owner, type, typeCount } = machine.frames;
    const usable = owner[frame] === guest.domid && type[frame] === FrameType.WRITABLE && (typeCount[frame] ?? 0) > 0;
    return usable ? machine.memory.u64.subarray(frame * 512, frame * 512 + 512) : undefined;
  }

  /** Entries in pages that may become page tables. */
  #writeEntries({ guest, fuzz }: Subject): void {
    for (let i = 0; i < 2; i++) {
      const page = this.#page(guest, 'spare', this.#random.below(FUZZ_PAGES.spare));
      if (page === undefined) continue;
      for (let entry = 0; entry < 3; entry++) page[this.#random.below(512)] = fuzz.entry();
    }
  }

  /** Grants that the domain could have written itself. */
  #writeGrants(guest: GuestDomain): void {
    const random = this.#random;
    const { u32 } = this.machine.memory;
    if (this.machine.frames.owner[guest.grantFrame] !== guest.domid) return;
    const spare = Number(((this.#kernel.addresses['spare'] ?? 0n) - VIRT_BASE) / 4096n);
    for (let i = 0; i < 4; i++) {
      const word = guest.grantFrame * 1024 + random.below(10) * 2;
      u32[word + 1] = random.once(4) ? random.pick(guest.mfns) : (guest.mfns[spare + random.below(16)] ?? 0);
      const flags = random.pick([
        Gtf.GTF_permit_access,
        Gtf.GTF_permit_access | Gtf.GTF_readonly,
        0,
        random.below(65536),
      ]);
      u32[word] = flags | (random.pick([3 - guest.domid, guest.domid, guest.domid + 1, 0]) << 16);
    }
  }
}

test('fuzz: random hypercalls, stores to page tables, frames and traps break nothing', (context) => {
  const fuzzer = new Fuzzer();
  const before = fuzzer.machine.nrFreeFrames;
  fuzzer.run();
  assert.equal(fuzzer.machine.nrFreeFrames, before, `seed ${SEED}: frames were lost`);
  context.diagnostic(
    `seed ${SEED}: ${fuzzer.nrHypercalls} hypercalls in ${fuzzer.nrDomains} domains, ${fuzzer.machine.nrAudits} audits`,
  );
  for (const [reason, count] of fuzzer.crashes) context.diagnostic(`${count} x ${reason}`);
  for (const { name, number } of HYPERCALLS) {
    const { issued = 0, succeeded = 0 } = fuzzer.tally.get(number) ?? {};
    if (issued > 0) context.diagnostic(`${name}: ${issued}, of which ${succeeded} succeeded`);
  }
});
