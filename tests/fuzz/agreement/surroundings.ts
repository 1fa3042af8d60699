// The part of the hypervisor in a run: carries out the events of a round, and handles what guest code stops for. It
// decides by the seed and the number of the exit, so it does the same to both machines.

import { mfn, vaddr } from '../../../src/base/index.ts';
import { Cpu, Exit, type ExitRecord, Gpr, Rflags } from '../../../src/engine/index.ts';
import { Pte, PteHi, Vector } from '../../../src/x86/index.ts';
import { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { fillRegisters } from './beginning.ts';
import {
  addressOfPage,
  aliasOf,
  ANCHOR,
  BASE,
  Frame,
  INDEX,
  NR_CODE,
  NR_PAGES,
  PAGE,
  Page,
  stackTop,
} from './layout.ts';
import type { Machine } from './machine.ts';
import type { Image, Program } from './program.ts';
import type { Event } from './round.ts';

const ALL_MASKED = 0x1f80;
const FCW_AFTER_FNINIT = 0x37f;
const FSW_EXCEPTIONS = 0x80ff;

/** What one program needs of a hypervisor. */
export class Surroundings {
  readonly #program: Program;
  readonly #image: Image;

  constructor(program: Program, image: Image) {
    this.#program = program;
    this.#image = image;
  }

  /** Carries out an event. @returns what the machine answers, to be compared */
  apply(machine: Machine, event: Event): string {
    const { kernelMode, engine } = machine;
    switch (event.kind) {
      case 'patch': {
        const { starts, code } = this.#image;
        const at = Math.min((starts[event.at % Math.max(starts.length, 1)] ?? 0) + (event.value & 7), code.length - 1);
        machine.writeFrame(Frame.CODE + Math.floor(at / PAGE), at % PAGE, Uint8Array.of((event.value >> 8) & 0xff));
        break;
      }
      case 'swap-contents': {
        const held = machine.contents(Frame.CODE + event.a);
        machine.writeFrame(Frame.CODE + event.a, 0, machine.contents(Frame.CODE + event.b));
        machine.writeFrame(Frame.CODE + event.b, 0, held);
        break;
      }
      case 'remap':
        machine.remap(event.page, Frame.CODE + event.frame);
        break;
      case 'migrate': {
        const bytes = machine.contents(machine.frameOf(event.page));
        bytes[event.at % PAGE] = event.value;
        machine.writeFrame(Frame.SPARE + event.spare, 0, bytes);
        machine.remap(event.page, Frame.SPARE + event.spare);
        break;
      }
      case 'protect':
        protect(machine, event.page, event.how);
        break;
      case 'flush-tlb':
        engine.flushTlb();
        break;
      case 'flush-page':
        engine.flushTlbPage(vaddr(addressOfPage(event.page)));
        break;
      case 'invalidate':
        engine.invalidateCode(mfn(Frame.CODE + event.frame));
        break;
      case 'clear-accessed':
        machine.clearAccessed();
        break;
      case 'switch-vcpu':
        machine.current = 1 - machine.current;
        break;
      case 'switch-mode':
        machine.state.writeU32(Cpu.KERNEL_MODE, kernelMode ? 0 : 1);
        break;
      case 'registers':
        fillRegisters(machine.state, new RandomSource(event.seed));
        break;
      case 'go':
        this.#go(machine, event.entry, event.alias);
        break;
      case 'emulate':
        return this.#emulate(machine, event.page);
      case 'translate':
        return String(
          engine.translate(machine.vcpu, vaddr(addressOfPage(event.page) + 5), event.access, event.kernelMode),
        );
    }
    return '';
  }

  /**
   * Does something about an exit, so that the next entry gets on.
   * @param number - of the exit
   * @param next - where the guest goes on if the instruction is left out; undefined when nobody knows
   */
  handle(machine: Machine, exit: ExitRecord, number: number, next: bigint | undefined): void {
    const random = new RandomSource(Math.imul(this.#program.seed ^ (number * 0x9e37), 0x85ebca6b));
    const { state } = machine;
    const isFault = exit.reason === Exit.EXCEPTION;
    const isMended = isFault && random.below(100) < this.#program.mending && this.#mend(machine, exit);
    if (!isMended) {
      if (next !== undefined && !random.oneIn(12)) state.rip = next;
      else this.#go(machine, random.u32(), random.oneIn(4));
    }
    if (isFault && exit.vector === Vector.DB && random.oneIn(2)) clearTrapFlag(machine);
    if (!random.oneIn(4)) {
      machine.set('R15', BigInt(ANCHOR));
      machine.set('R14', BigInt(INDEX));
    }
    const stack = state.gpr[Gpr.RSP] ?? 0n;
    const inStack =
      stack >= BigInt(addressOfPage(Page.STACK)) && stack < BigInt(addressOfPage(Page.OTHER_STACK + 4) - 64);
    if (!inStack || random.oneIn(100)) machine.set('RSP', someStack(random, machine.current));
  }

  #go(machine: Machine, entry: number, alias: boolean): void {
    const { entries } = this.#image;
    const address = entries[entry % Math.max(entries.length, 1)] ?? 0;
    machine.goTo(alias ? aliasOf(address) : address);
    machine.set('RSP', BigInt(stackTop(machine.current)));
  }

  /** Removes the reason of a fault. @returns false when there is nothing to be done */
  #mend(machine: Machine, exit: ExitRecord): boolean {
    const { state, kernelMode } = machine;
    switch (exit.vector) {
      case Vector.PF: {
        const page = Number((exit.faultAddress - BigInt(BASE)) / BigInt(PAGE));
        return page >= 0 && page < NR_PAGES && machine.mend(page, kernelMode);
      }
      case Vector.XM:
        state.writeU32(Cpu.MXCSR, state.readU32(Cpu.MXCSR) | ALL_MASKED);
        return true;
      case Vector.MF: {
        const words = state.readU32(Cpu.FCW);
        state.writeU32(Cpu.FCW, ((words & ~(FSW_EXCEPTIONS << 16) & 0xffff0000) | FCW_AFTER_FNINIT) >>> 0);
        return true;
      }
      case Vector.DB:
        clearTrapFlag(machine);
        return true;
      default:
        return false;
    }
  }

  /** A store that the hypervisor carries out on a copy of the page. */
  #emulate(machine: Machine, page: number): string {
    const { memory, engine } = machine;
    const frame = machine.frameOf(page);
    memory.u8.copyWithin(Frame.EMULATION * PAGE, frame * PAGE, (frame + 1) * PAGE);
    const reason = engine.stepWithWritable(machine.vcpu, vaddr(addressOfPage(page)), mfn(Frame.EMULATION));
    return `${reason} ${reason === Exit.EXCEPTION ? engine.exit.vector : 0}`;
  }
}

/** The vCPU's stack mostly; at times one whose words lie across the end of a page, or one in the code. */
function someStack(random: RandomSource, vcpu: number): bigint {
  switch (random.below(12)) {
    case 0:
      return BigInt(addressOfPage(Page.STACK + 4) + random.below(40));
    case 1:
      return BigInt(addressOfPage(random.pick([Page.CODE, Page.ALIAS]) + random.below(NR_CODE)) + 0x800);
    default:
      return BigInt(stackTop(vcpu));
  }
}

function protect(machine: Machine, page: number, how: (Event & { kind: 'protect' })['how']): void {
  const { kernelMode, memory } = machine;
  if (how === 'proper') {
    machine.mend(page, kernelMode);
    return;
  }
  const at = machine.entry(page, kernelMode);
  const lo = memory.view.getUint32(at, true);
  const hi = memory.view.getUint32(at + 4, true);
  if (how === 'absent') machine.setEntry(page, kernelMode, lo & ~Pte.PRESENT, hi);
  else if (how === 'read-only') machine.setEntry(page, kernelMode, lo & ~Pte.WRITABLE, hi);
  else machine.setEntry(page, kernelMode, lo, hi | PteHi.NO_EXECUTE);
}

function clearTrapFlag({ state }: Machine): void {
  state.rflags &= ~Rflags.TF;
}
