// Runs a program in two machines. The subject runs as it likes; the stepper runs the same one instruction at a time,
// without a code cache. Wherever the subject stops, the stepper must be able to get to exactly its state.

import { createInstruction, decode, Decoded } from '../../../src/engine-wasm/decode/decode.ts';
import { disassemble } from '../../../src/engine-wasm/decode/disassemble.ts';
import { ROWS } from '../../../src/engine-wasm/decode/table.ts';
import { Access, Cpu, Exit, type ExitReason, type ExitRecord } from '../../../src/engine/index.ts';
import { vaddr } from '../../../src/base/index.ts';
import { Vector } from '../../../src/x86/index.ts';
import { contentsOf, stateOf } from './beginning.ts';
import { describeExit, differencesOf, sameMemory, sameRegisters } from './comparison.ts';
import type { Machine } from './machine.ts';
import { PAGE } from './layout.ts';
import { assemble, type Program } from './program.ts';
import { Surroundings } from './surroundings.ts';

/** Most instructions that an entry may run beyond its budget: the way forward through a region, which is not asked for it. */
const SLACK = 2000;

/** Entries in a row that may get nowhere: for decoding and compiling. */
const MOST_IDLE = 12;

const LONGEST_CIRCLE = 1000;
const MAX_INSTRUCTION = 15;
const TRACE_LENGTH = 60;
const NOP = 0x90;
const LOWER_HALF = 2 ** 47;

/** Rows of which nothing may be left in decoded code, so that it does not count them. */
const LEAVES_NOTHING: readonly boolean[] = ROWS.map(({ mnemonic, operands }) =>
  mnemonic === 'JMP' ? operands[0]?.kind === 'J' : /^(NOP|PAUSE|PREFETCH.*|[LMS]FENCE)$/.test(mnemonic),
);

/** How a run went. */
export interface Outcome {
  /** Instructions executed. */
  readonly steps: number;
  /** What differed; none when nothing did. */
  readonly mismatch: readonly string[];
}

/** Two machines. */
export class Duel {
  readonly #stepper: Machine;
  readonly #subject: Machine;
  readonly #instruction = createInstruction();
  readonly #bytes = new Uint8Array(MAX_INSTRUCTION);
  /** Instructions executed to their end or until they left the engine, by row. */
  readonly executed = new Uint32Array(ROWS.length);
  /** Keep the last instructions as text, for the report. */
  tracing = false;
  readonly #trace: string[] = [];
  #steps = 0;

  constructor(stepper: Machine, subject: Machine) {
    this.#stepper = stepper;
    this.#subject = subject;
  }

  /** Runs a program until its length is reached or its rounds are over. */
  run(program: Program): Outcome {
    const image = assemble(program);
    const surroundings = new Surroundings(program, image);
    const contents = contentsOf(program, image);
    const states = [stateOf(program.seed, 0, image), stateOf(program.seed, 1, image)];
    const machines = [this.#stepper, this.#subject] as const;
    for (const machine of machines) machine.reset(contents, states);
    this.#steps = 0;
    this.#trace.length = 0;
    let exits = 0;
    let idle = 0;
    for (const [n, round] of program.rounds.entries()) {
      if (this.#steps >= program.length) break;
      for (const event of round.events) {
        const [expected, actual] = machines.map((machine) => surroundings.apply(machine, event));
        if (expected !== actual) return this.#fail(n, `${event.kind}: expected ${expected}, got ${actual}`);
        this.#note(`-- ${JSON.stringify(event)}`);
      }
      if (round.events.length > 0) idle = 0;
      if (round.events.length > 0 && !this.#agree()) return this.#fail(n, 'after the events');
      const before = this.#steps;
      const reason = this.#subject.engine.enter(this.#subject.vcpu, round.budget);
      const failure = this.#follow(reason, round.budget + SLACK);
      if (failure !== undefined) return this.#fail(n, failure);
      if (reason === Exit.BUDGET) {
        idle = this.#steps === before ? idle + 1 : 0;
        if (idle > MOST_IDLE && !this.#comesBack()) return this.#fail(n, 'the subject does not get on');
        continue;
      }
      idle = 0;
      exits++;
      const next = this.#nextRip(reason);
      const { exit } = this.#stepper.engine;
      for (const machine of machines) surroundings.handle(machine, exit, exits, next);
      this.#note(`-- ${describeExit(reason, exit)}; on to ${this.#stepper.state.rip.toString(16)}`);
    }
    return { steps: this.#steps, mismatch: [] };
  }

  /** Steps until the stepper is where the subject is. @returns what is wrong */
  #follow(reason: ExitReason, most: number): string | undefined {
    const stepper = this.#stepper;
    const subject = this.#subject;
    const wanted = describeExit(reason, subject.engine.exit);
    if (reason === Exit.BUDGET) this.#fetch(subject);
    const rip = subject.state.readU32(Cpu.RIP);
    for (let n = 0; n <= most;) {
      if (reason === Exit.BUDGET && stepper.state.readU32(Cpu.RIP) === rip && sameRegisters(stepper, subject)) {
        this.#fetch(stepper); // what the next fetch marks in the page tables may be marked already
        if (sameMemory(stepper, subject)) return undefined;
      }
      const row = this.#peek();
      const isFree = LEAVES_NOTHING[row] || this.#instruction.opcode === NOP;
      const done = stepper.step();
      this.#steps++;
      if (!isFree) n++;
      if (done === Exit.BUDGET) {
        this.executed[row]!++; // a row's number
        continue;
      }
      if (done !== Exit.EXCEPTION || stepper.engine.exit.vector === Vector.BP) this.executed[row]!++; // a row's number
      const got = describeExit(done, stepper.engine.exit);
      if (reason === Exit.BUDGET) return `the subject runs on to where it should have stopped: ${got}`;
      if (got !== wanted) return `exit: expected ${got}, got ${wanted}`;
      return this.#agree() ? undefined : `at exit ${got}`;
    }
    return `no state within ${most} instructions is that of the subject's exit: ${wanted}`;
  }

  /** Steps until the state is the same again: then guest code does get on, though in a circle. */
  #comesBack(): boolean {
    for (let n = 0; n < LONGEST_CIRCLE; n++) {
      if (this.#stepper.step() !== Exit.BUDGET) return false;
      this.#steps++;
      if (this.#agree()) return true;
    }
    return false;
  }

  #agree(): boolean {
    return sameRegisters(this.#stepper, this.#subject) && sameMemory(this.#stepper, this.#subject);
  }

  /** Marks in the page tables what the fetch of any instruction at rip would. */
  #fetch({ engine, vcpu, state, kernelMode }: Machine): void {
    const address = Number(BigInt.asUintN(48, state.rip));
    for (const at of [address, address + MAX_INSTRUCTION - 1])
      if (at < LOWER_HALF) engine.translate(vcpu, vaddr(at), Access.EXECUTE, kernelMode);
  }

  /** Row of the stepper's next instruction, noted in the trace; 0 when it cannot be fetched. */
  #peek(): number {
    const outcome = this.#decodeNext();
    const row = outcome === Decoded.OK ? this.#instruction.row.id : 0;
    if (this.tracing) {
      const { rip } = this.#stepper.state;
      const page = Number(BigInt.asUintN(48, rip - BigInt(this.#instruction.offset)));
      this.#note(`${rip.toString(16)}: ${row === 0 ? '(bad)' : disassemble(this.#instruction, page)}`);
    }
    return row;
  }

  #decodeNext(): number {
    const { state, engine, vcpu, kernelMode, memory } = this.#stepper;
    const address = Number(BigInt.asUintN(48, state.rip));
    let length = 0;
    const here = PAGE - (address % PAGE);
    const first = engine.translate(vcpu, vaddr(address), Access.EXECUTE, kernelMode);
    if (first < 0) return Decoded.NEEDS_MORE;
    length = Math.min(here, MAX_INSTRUCTION);
    this.#bytes.set(memory.u8.subarray(first, first + length));
    const outcome = decode(this.#bytes, 0, length, address % PAGE, this.#instruction);
    if (outcome !== Decoded.NEEDS_MORE || here >= MAX_INSTRUCTION) return outcome;
    const second = engine.translate(vcpu, vaddr(address + here), Access.EXECUTE, kernelMode);
    if (second < 0) return outcome;
    this.#bytes.set(memory.u8.subarray(second, second + MAX_INSTRUCTION - here), here);
    return decode(this.#bytes, 0, MAX_INSTRUCTION, address % PAGE, this.#instruction);
  }

  /** Where the guest goes on when the hypervisor leaves out the instruction it stopped at. */
  #nextRip(reason: ExitReason): bigint | undefined {
    const { engine, state } = this.#stepper;
    const exit: ExitRecord = engine.exit;
    if (reason === Exit.SYSCALL) return state.rip;
    if (reason === Exit.ASSIST || reason === Exit.SOFTWARE_INTERRUPT) return exit.nextRip;
    if (reason === Exit.EXCEPTION && exit.vector === Vector.DB) return state.rip;
    if (reason === Exit.EXCEPTION && exit.vector === Vector.BP) return undefined;
    return this.#decodeNext() === Decoded.OK ? state.rip + BigInt(this.#instruction.length) : undefined;
  }

  #note(line: string): void {
    if (!this.tracing) return;
    this.#trace.push(line);
    if (this.#trace.length > TRACE_LENGTH) this.#trace.shift();
  }

  #fail(round: number, what: string): Outcome {
    const lines = differencesOf(this.#stepper, this.#subject);
    const trace = this.#trace.map((line) => `    ${line}`);
    return {
      steps: this.#steps,
      mismatch: [`round ${round}: ${what}`, ...lines.map((line) => `  ${line}`), ...trace],
    };
  }
}
