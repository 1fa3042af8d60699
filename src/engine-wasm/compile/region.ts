// Forms a region: the decoded blocks of one page that are reached from a hot one by direct jumps, cut into
// nodes that control enters only at their beginning. The compiler makes one function of a region.
// Records stay where the interpreter has them: a node names them by their addresses.

import { Cpu } from '../../engine/index.ts';
import { opcodeOf, OPERATIONS } from '../ir/operations.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { USER_TLB } from '../runtime/layout.ts';

/** How a node ends. */
export type NodeEnd = 'fall' | 'jump' | 'branch' | 'call' | 'return' | 'leave';

/** A stretch of records without control flow, and what follows it. */
export interface RegionNode {
  /** First record. */
  readonly first: number;
  /** The control record that ends the node, or the record behind it when the node just falls into the next (`fall`). */
  readonly last: number;
  readonly end: NodeEnd;
  /** Instructions to charge when control falls into another block; 0 within a block. */
  readonly charge: number;
  /** Nodes that follow, -1 outside the region: of a branch the target and the next; of a return every return point. */
  readonly targets: number[];
  /** Page offsets of the targets that begin blocks. */
  readonly offsets: number[];
}

/** A region; node 0 is its only entry. */
export interface Region {
  readonly frame: number;
  /** Displacement of the TLBs of the mode that the region is for. */
  readonly tlbDisplacement: number;
  readonly nodes: readonly RegionNode[];
}

/** Where region formation finds blocks. */
export interface BlockFinder {
  /** First record behind the head of the block at an offset of the page, or 0 when there is none worth compiling. */
  block(offset: number): number;
}

const PAGE_SIZE = 4096;
const MAX_BLOCKS = 48;
const MAX_NODES = 400;
const MAX_RETURN_POINTS = 6;

const ENDS: ReadonlyMap<string, NodeEnd> = new Map<string, NodeEnd>([
  ['jmp', 'jump'],
  ['call', 'call'],
  ['ret', 'return'],
  ['jmpr', 'leave'],
  ['callr', 'leave'],
  ['exit', 'leave'],
]);
const NOT_BRANCHES: ReadonlySet<string> = new Set(['string', 'helper', 'nextpage', 'rdtsc', 'head', 'compiled']);

/** By opcode: how a record of it ends a node; undefined when it does not. */
const END_OF: readonly (NodeEnd | undefined)[] = OPERATIONS.map(({ name, kind }) =>
  kind !== 'control' || NOT_BRANCHES.has(name) ? undefined : (ENDS.get(name) ?? 'branch'),
);
/** By opcode: a comparison fused with the jump in the next record. */
const IS_FUSED: readonly boolean[] = OPERATIONS.map(({ name }) => name.includes('.j'));
const CALL = opcodeOf('call');

/** Forms the region of the block at an offset of a frame. */
export function formRegion(memory: EngineMemory, finder: BlockFinder, frame: number, entry: number): Region {
  const blocks = collectBlocks(memory, finder, entry);
  const nodes: MutableNode[] = [];
  const firstNode = new Map<number, number>();
  const returnPoints = new Set<number>();
  const offsets = [...blocks.keys()];
  for (const offset of offsets) {
    if (nodes.length >= MAX_NODES) break;
    firstNode.set(offset, nodes.length);
    cutBlock(memory, blocks, offset, nodes);
  }
  const { u16 } = memory;
  for (const node of nodes) {
    if (node.end === 'call' && firstNode.has(node.offsets[0] ?? -1)) {
      const back = u16[(node.last + Rec.A) >> 1];
      if (firstNode.has(back) && returnPoints.size < MAX_RETURN_POINTS) returnPoints.add(back);
    }
  }
  for (const node of nodes) {
    if (node.end === 'return') node.offsets.push(...returnPoints);
    for (const offset of node.offsets) node.targets.push(firstNode.get(offset) ?? -1);
    if (node.next >= 0) node.targets.push(node.next);
  }
  const tlbDisplacement = memory.u32[Cpu.KERNEL_MODE >> 2] === 0 ? USER_TLB : 0;
  return { frame, tlbDisplacement, nodes };
}

interface MutableNode extends RegionNode {
  /** The node of the not-taken path, or -1. */
  readonly next: number;
}

/** The blocks of a region by offset, with their first records; breadth first, so the nearest ones win. */
function collectBlocks(memory: EngineMemory, finder: BlockFinder, entry: number): Map<number, number> {
  const { u16, i32 } = memory;
  const blocks = new Map<number, number>();
  const queue = [entry];
  const add = (offset: number): void => {
    if (offset >= 0 && offset < PAGE_SIZE && !blocks.has(offset) && !queue.includes(offset)) queue.push(offset);
  };
  for (let at = 0; at < queue.length && blocks.size < MAX_BLOCKS; at++) {
    const offset = queue[at] ?? 0;
    let record = finder.block(offset);
    if (record === 0) continue;
    blocks.set(offset, record);
    for (let end: NodeEnd | undefined; end === undefined || end === 'branch'; record += RECORD_SIZE) {
      let opcode = u16[record >> 1];
      if (IS_FUSED[opcode]) {
        record += RECORD_SIZE;
        opcode = u16[record >> 1];
      }
      end = END_OF[opcode];
      if (end === 'jump' || end === 'branch' || end === 'call') add(i32[(record + Rec.IMM) >> 2]);
      if (opcode === CALL) add(u16[(record + Rec.A) >> 1]);
    }
  }
  return blocks;
}

/** Cuts a block into nodes: behind conditional jumps, and where another block of the region begins. */
function cutBlock(
  memory: EngineMemory,
  blocks: ReadonlyMap<number, number>,
  start: number,
  nodes: MutableNode[],
): void {
  const { u16, i32 } = memory;
  let record = blocks.get(start) ?? 0;
  let first = record;
  let rip = start;
  let instructions = 1;
  for (;;) {
    const offset = u16[(record + Rec.RIP) >> 1];
    if (offset !== rip) {
      rip = offset;
      if (blocks.has(rip)) {
        nodes.push({ first, last: record, end: 'fall', charge: instructions, targets: [], offsets: [rip], next: -1 });
        return;
      }
      instructions++;
    }
    let last = record;
    if (IS_FUSED[u16[record >> 1]]) last += RECORD_SIZE;
    const end = END_OF[u16[last >> 1]];
    if (end === undefined) {
      record += RECORD_SIZE;
      continue;
    }
    const direct = end === 'jump' || end === 'branch' || end === 'call';
    const offsets = direct ? [i32[(last + Rec.IMM) >> 2]] : [];
    const next = end === 'branch' ? nodes.length + 1 : -1;
    nodes.push({ first, last: record, end, charge: 0, targets: [], offsets, next });
    if (end !== 'branch') return;
    record = last + RECORD_SIZE;
    first = record;
  }
}
