// Emits a region as one WebAssembly function: walks the dominator tree, so that every jump becomes a branch to
// an enclosing block or loop. What leaves the region goes to the one epilogue.

import { bug } from '../../base/index.ts';
import { Gpr } from '../../engine/index.ts';
import { emitMemoryAccess, emitPush, emitStackLoad } from '../interpret/memory-access.ts';
import { CompiledExit, ExitCode } from '../ir/exit-code.ts';
import { opcodeOf, OPERATIONS } from '../ir/operations.ts';
import { COMPARE_AND_JUMPS, type CompareAndJump, pushFusedCondition } from '../ir/operations/compare-and-jump.ts';
import { CONDITIONS, pushCondition } from '../ir/operations/condition.ts';
import { RECORD_SIZE } from '../ir/record.ts';
import { gprSlot } from '../ir/slots.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { Word } from '../runtime/layout.ts';
import { FunctionBuilder, type Label } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';
import type { CompilerCallees, RegisterUse } from './compiled-function.ts';
import { CompilerEmitter } from './emitter.ts';
import { FlagNeeds } from './flag-needs.ts';
import { FLAG_USES, PUTS_OFF_NOTHING } from './flag-use.ts';
import { gprUse } from './gpr-use.ts';
import { emitLinkedCall } from './linked-call.ts';
import type { Links } from './links.ts';
import { OrdinaryNumbers } from './ordinary-numbers.ts';
import type { Region, RegionNode } from './region.ts';
import { analyse, type Structure } from './structure.ts';
import { emitSwitch, type SwitchTarget } from './switch.ts';
import { vectorUse } from './vector-use.ts';

const RSP = gprSlot(Gpr.RSP);
const NR_PARAMETERS = 3;
const FUSED: ReadonlyMap<number, CompareAndJump> = new Map(
  COMPARE_AND_JUMPS.map((pair) => [opcodeOf(pair.name), pair]),
);

/**
 * The function of a region; see `compiledType`.
 * @param marked - with a mark at the beginning of each record's code
 */
export function compileRegion(
  region: Region,
  memory: EngineMemory,
  callees: CompilerCallees,
  links: Links,
  marked: boolean,
): FunctionBuilder {
  return new RegionCompiler(region, memory, callees, links, marked).compile();
}

/** What the records of a region do with registers. */
function registerUse(region: Region, memory: EngineMemory): RegisterUse {
  let [used, written, vectorsRead, vectorsWritten, quickLanes] = [0, 0, 0, 0, 0];
  for (const { first, last } of region.nodes) {
    const gprs = gprUse(memory, first, last);
    const vectors = vectorUse(memory, first, last);
    used |= gprs.used;
    written |= gprs.written;
    vectorsRead |= vectors.read;
    vectorsWritten |= vectors.written;
    quickLanes |= vectors.quickLanes;
  }
  return { gprs: { used, written }, vectors: { read: vectorsRead, written: vectorsWritten, quickLanes } };
}

class RegionCompiler {
  readonly #nodes: readonly RegionNode[];
  readonly #structure: Structure;
  readonly #memory: EngineMemory;
  readonly #f = new FunctionBuilder(NR_PARAMETERS);
  readonly #e: CompilerEmitter;
  readonly #links: Links;
  readonly #flagNeeds: FlagNeeds;
  /** Labels of the loops and merge points that are open, by node. */
  readonly #loops = new Map<number, Label>();
  readonly #merges = new Map<number, Label>();

  constructor(region: Region, memory: EngineMemory, callees: CompilerCallees, links: Links, marked: boolean) {
    if (marked) this.#f.keepMarks();
    this.#nodes = region.nodes;
    this.#structure = analyse(region.nodes);
    this.#memory = memory;
    this.#links = links;
    this.#flagNeeds = new FlagNeeds(region.nodes, this.#structure, memory);
    const use = registerUse(region, memory);
    this.#e = new CompilerEmitter(this.#f, callees, memory, region, use);
    if (use.vectors.quickLanes !== 0) this.#e.ordinary = new OrdinaryNumbers(region.nodes, memory);
  }

  compile(): FunctionBuilder {
    const f = this.#f;
    this.#e.epilogue = f.block();
    this.#e.openEpilogue = f.block();
    if (this.#structure.isLoop[0] !== 0) this.#takeFlags(0);
    this.#emitTree(0);
    f.op(W.unreachable).end();
    f.mark(0);
    this.#e.emitEpilogue();
    const prologue = new FunctionBuilder(NR_PARAMETERS);
    this.#e.emitPrologue(prologue);
    f.prepend(prologue);
    return f;
  }

  /** Emits a node and everything that it dominates; control never falls out of the code. */
  #emitTree(node: number): void {
    const f = this.#f;
    const { isLoop, merges } = this.#structure;
    const isLoopHead = isLoop[node] !== 0;
    if (isLoopHead) this.#loops.set(node, f.loop());
    const inner = merges[node];
    for (const merge of inner) this.#merges.set(merge, f.block());
    this.#emitNode(node);
    for (let n = inner.length - 1; n >= 0; n--) {
      f.end();
      this.#takeFlags(inner[n]);
      this.#emitTree(inner[n]);
    }
    if (isLoopHead) f.op(W.unreachable).end();
  }

  /** Does on an edge to a loop or merge point what that wants of the flags. */
  #bringFlags(to: number): void {
    const need = this.#flagNeeds.of(to);
    if (need === 'values') this.#e.flags.compute();
    else if (need === 'kind') this.#e.flags.keep();
  }

  /** Begins a loop or merge point: every edge to it has done what it wants. */
  #takeFlags(node: number): void {
    this.#e.flags.pending = this.#flagNeeds.of(node) === 'kind' ? 'open' : undefined;
  }

  #emitNode(number: number): void {
    const node = this.#nodes[number];
    const e = this.#e;
    const { u16 } = this.#memory;
    e.page = node.page;
    e.ordinary?.enter(number);
    for (let record = node.first; record < node.last; record += RECORD_SIZE) {
      e.record = record;
      this.#f.mark(record);
      this.#emitRecord(u16[record >> 1]);
      e.ordinary?.pass(record);
    }
    e.record = node.last;
    this.#f.mark(node.last);
    e.begin(PUTS_OFF_NOTHING);
    switch (node.end) {
      case 'fall':
        this.#go(number, node.targets[0], node.charge, node.places[0]);
        break;
      case 'jump':
        this.#goTaken(number);
        break;
      case 'branch':
        this.#emitBranch(number);
        break;
      case 'enter':
        this.#emitEnter(number);
        break;
      case 'call':
        this.#emitCall(number, node.page + e.immediate);
        break;
      case 'callr':
        // the target is read first: it may be in rsp
        e.readState(e.field('c'), M.i64Load);
        this.#f.set(e.locals.rip);
        this.#emitCall(number, undefined);
        break;
      case 'return':
        this.#emitReturn(number);
        break;
      case 'jumpr':
        this.#emitIndirectJump();
        e.leaveTo(CompiledExit.LOOK_UP);
        break;
      case 'dispatch':
        this.#emitIndirectJump();
        this.#emitDispatch(number, node.targets[0]);
        break;
      case 'switch':
        this.#emitSwitch(number);
        e.leaveTo(CompiledExit.LOOK_UP, 'jump');
        break;
      case 'exit':
        this.#emitExit();
    }
  }

  /** A record that control falls out of. */
  #emitRecord(opcode: number): void {
    const e = this.#e;
    const operation = OPERATIONS[opcode] ?? bug('no such operation');
    e.begin(FLAG_USES[opcode]);
    if (operation.kind !== 'control') {
      if (operation.memory !== undefined) emitMemoryAccess(e, operation.memory);
      operation.emit?.(e);
      return;
    }
    const f = this.#f;
    switch (operation.name) {
      case 'helper':
        e.callHelper(e.immediate);
        break;
      case 'rdtsc':
        e.callRuntime(() => f.call(e.callees.readTsc));
        break;
      case 'string': {
        const code = e.i32[0];
        e.callRuntime(() => f.i32(e.record).call(e.callees.string));
        f.set(code).i32(0).mem(M.i32Load, Word.BUDGET).set(e.locals.budget); // it has charged for its work
        f.get(code).if();
        e.leaveWith(() => f.get(code));
        f.end();
        e.ifDropped(() => e.resumeBehind());
        break;
      }
      case 'nextpage':
        break; // the prologue has looked
      default:
        bug(`the compiler has no control operation ${operation.name}`);
    }
  }

  #charge(instructions: number): void {
    const { budget } = this.#e.locals;
    if (instructions !== 0) this.#f.get(budget).i32(instructions).op(W.i32Sub).set(budget);
  }

  /** Follows the direct jump in the current record. */
  #goTaken(from: number): void {
    const e = this.#e;
    this.#go(from, this.#nodes[from].targets[0], e.field('b'), e.page + e.immediate);
  }

  /**
   * Follows an edge.
   * @param to - node, or -1 when the target is outside
   * @param charge - instructions
   * @param place - distance of the target
   */
  #go(from: number, to: number, charge: number, place: number): void {
    const f = this.#f;
    const e = this.#e;
    const { rip, budget } = e.locals;
    const setRip = (): void => {
      e.pushPlace(place);
      f.set(rip);
    };
    this.#charge(charge);
    if (to < 0 || this.#structure.isIrreducible(from, to)) {
      setRip();
      e.leaveTo(CompiledExit.LOOK_UP);
      return;
    }
    const { order, isMerge, isLoop } = this.#structure;
    if (isMerge[to] !== 0 || isLoop[to] !== 0) this.#bringFlags(to);
    if (order[to] <= order[from]) {
      f.get(budget)
        .i32(0)
        .op(W.i32GtS)
        .branchIf(this.#loops.get(to) ?? bug('a loop is not open'));
      setRip();
      e.leaveTo(ExitCode.BUDGET);
      return;
    }
    if (isMerge[to] !== 0) {
      f.branch(this.#merges.get(to) ?? bug('a merge point is not open'));
      return;
    }
    const { record, page } = e;
    if (isLoop[to] !== 0) this.#takeFlags(to);
    this.#emitTree(to);
    e.record = record;
    e.page = page;
  }

  #emitBranch(from: number): void {
    const e = this.#e;
    const node = this.#nodes[from];
    const opcode = this.#memory.u16[node.last >> 1];
    const pair = FUSED.get(opcode);
    if (pair === undefined) {
      e.flags.compute();
      this.#pushCondition(OPERATIONS[opcode]?.name ?? '');
    } else {
      const compare = opcodeOf(pair.compare);
      e.begin(FLAG_USES[compare]);
      OPERATIONS[compare]?.emit?.(e);
      e.record = node.last + RECORD_SIZE;
      pushFusedCondition(e, pair);
    }
    this.#f.if();
    const { pending } = e.flags;
    this.#goTaken(from);
    e.flags.pending = pending;
    this.#f.end();
    this.#go(from, node.targets[1], 0, 0);
  }

  #pushCondition(name: string): void {
    const e = this.#e;
    const condition = CONDITIONS.findIndex((suffix) => name === `j${suffix}`);
    if (condition >= 0) {
      pushCondition(e, condition);
      return;
    }
    e.read('a', name.endsWith('64') ? M.i64Load : M.i32Load);
    this.#f.op(name.endsWith('64') ? W.i64Eqz : W.i32Eqz);
    if (name.startsWith('jnz')) this.#f.op(W.i32Eqz);
  }

  /** Pushes the return address of the call in the current record. @param target - distance of the target, or undefined when `rip` has it */
  #emitPushReturn(target: number | undefined): void {
    const e = this.#e;
    emitPush(
      e,
      () => e.pushPlace(e.page + e.field('a')),
      () => {
        this.#charge(e.field('b'));
        if (target !== undefined) {
          e.pushPlace(target);
          this.#f.set(e.locals.rip);
        }
        e.leaveTo(CompiledExit.UNWIND);
      },
    );
  }

  /** A call of a function that stands in its place. */
  #emitEnter(from: number): void {
    const e = this.#e;
    this.#emitPushReturn(e.page + e.immediate);
    this.#goTaken(from);
  }

  #emitCall(from: number, target: number | undefined): void {
    const e = this.#e;
    const node = this.#nodes[from];
    this.#emitPushReturn(target);
    this.#charge(e.field('b'));
    const back = node.places[0];
    emitLinkedCall(e, { link: this.#links.link(), target, back });
    this.#go(from, node.targets[0], 0, back);
  }

  #emitReturn(from: number): void {
    const f = this.#f;
    const e = this.#e;
    const node = this.#nodes[from];
    const { rip, address } = e.locals;
    emitStackLoad(e);
    e.writeState(RSP, M.i64Store, () =>
      f
        .get(address)
        .i64(8 + e.immediate)
        .op(W.i64Add),
    );
    f.get(e.i64[0]).set(rip);
    const charge = e.field('b');
    if (node.targets.length > 0 && node.targets[0] >= 0) {
      f.get(rip);
      e.pushPlace(node.places[0]);
      f.op(W.i64Eq).if();
      const { pending } = e.flags;
      this.#go(from, node.targets[0], charge, node.places[0]);
      e.flags.pending = pending;
      f.end();
    }
    this.#charge(charge);
    e.leaveTo(CompiledExit.LOOK_UP);
  }

  /** Charges for the jump, and leaves its target in `rip`. */
  #emitIndirectJump(): void {
    const e = this.#e;
    e.readState(e.field('c'), M.i64Load);
    this.#f.set(e.locals.rip);
    this.#charge(e.field('b'));
  }

  /** Goes on in the region's switch. */
  #emitDispatch(from: number, to: number): void {
    const f = this.#f;
    const e = this.#e;
    const { order, isMerge } = this.#structure;
    if (this.#structure.isIrreducible(from, to)) {
      e.leaveTo(CompiledExit.LOOK_UP);
      return;
    }
    e.noteJump();
    e.flags.compute();
    if (order[to] <= order[from]) {
      f.get(e.locals.budget)
        .i32(0)
        .op(W.i32GtS)
        .branchIf(this.#loops.get(to) ?? bug('the switch is not open'));
      // the target may be one that cannot be jumped to: whoever looks it up finds that out first
      e.leaveTo(CompiledExit.LOOK_UP);
    } else if (isMerge[to] !== 0) {
      f.branch(this.#merges.get(to) ?? bug('the switch is not open'));
    } else {
      this.#emitTree(to);
    }
  }

  /** Branches to the node at the address in `rip`; control falls out of the code when there is none. */
  #emitSwitch(from: number): void {
    const { order } = this.#structure;
    const node = this.#nodes[from];
    const reached: SwitchTarget[] = [];
    let goesBack = false;
    node.targets.forEach((target, n) => {
      if (target < 0 || this.#structure.isIrreducible(from, target)) return;
      const isBack = order[target] <= order[from];
      goesBack ||= isBack;
      const label = (isBack ? this.#loops : this.#merges).get(target) ?? bug('a target of a switch has no label');
      reached.push({ place: node.places[n] ?? 0, label });
    });
    if (reached.length > 0) emitSwitch(this.#e, this.#memory, this.#links, reached, goesBack);
  }

  /** A record that always leaves the region. */
  #emitExit(): void {
    const e = this.#e;
    e.markRecord();
    e.spillTemps();
    this.#charge(e.field('b'));
    e.leave(e.field('a'));
  }
}
