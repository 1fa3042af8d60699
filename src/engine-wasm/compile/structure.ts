// The shape of a region's control flow: order, dominators, loops and merge points, from which structured
// WebAssembly control flow follows. Method: Ramsey, "Beyond Relooper" (ICFP 2022); dominators: Cooper,
// Harvey, Kennedy, "A Simple, Fast Dominance Algorithm".

import type { RegionNode } from './region.ts';

/** Control flow of a region, by node number. */
export interface Structure {
  /** Place in reverse postorder; -1 for a node that is not reached. */
  readonly order: Int32Array;
  /** Nodes that a back edge goes to. */
  readonly isLoop: Uint8Array;
  /** Nodes that more than one forward edge goes to, or one of a switch: they need a label. */
  readonly isMerge: Uint8Array;
  /** The nodes that a node immediately dominates and that are merge points, latest first. */
  readonly merges: readonly (readonly number[])[];
  /** True when an edge goes back to a node that does not dominate its source: it has no structured form. */
  isIrreducible(from: number, to: number): boolean;
}

/** Analyses the control flow from node 0. */
export function analyse(nodes: readonly RegionNode[]): Structure {
  const count = nodes.length;
  const order = new Int32Array(count).fill(-1);
  const sequence = reversePostorder(nodes);
  sequence.forEach((node, place) => (order[node] = place));
  const predecessors: number[][] = nodes.map(() => []);
  for (const node of sequence)
    for (const target of nodes[node].targets) if (target >= 0) predecessors[target].push(node);
  const dominator = dominators(sequence, order, predecessors);
  const dominates = (above: number, below: number): boolean => {
    let node = below;
    while (order[node] > order[above]) node = dominator[node];
    return node === above;
  };
  const isLoop = new Uint8Array(count);
  const isSwitchTarget = new Uint8Array(count);
  for (const node of nodes)
    if (node.end === 'switch') for (const target of node.targets) if (target >= 0) isSwitchTarget[target] = 1;
  const isMerge = new Uint8Array(count);
  const merges: number[][] = nodes.map(() => []);
  for (const node of sequence) {
    let forward = 0;
    for (const from of predecessors[node]) {
      if (order[from] < order[node]) forward++;
      else if (dominates(node, from)) isLoop[node] = 1;
    }
    if (forward > 1 || (forward === 1 && isSwitchTarget[node] !== 0)) {
      isMerge[node] = 1;
      merges[dominator[node]].unshift(node);
    }
  }
  return {
    order,
    isLoop,
    isMerge,
    merges,
    isIrreducible: (from, to) => order[to] <= order[from] && !dominates(to, from),
  };
}

/** Depth first without recursion: a guest chooses how deep it goes. */
function reversePostorder(nodes: readonly RegionNode[]): number[] {
  const visited = new Uint8Array(nodes.length);
  const progress = new Int32Array(nodes.length);
  const stack = [0];
  const sequence: number[] = [];
  visited[0] = 1;
  while (stack.length > 0) {
    const node = stack.at(-1) ?? 0;
    const { targets } = nodes[node];
    const at = progress[node]++;
    if (at >= targets.length) {
      sequence.push(node);
      stack.pop();
      continue;
    }
    // the not-taken path is visited first, so that it comes late in the order: loops stay together
    const target = targets[at];
    if (target >= 0 && visited[target] === 0) {
      visited[target] = 1;
      stack.push(target);
    }
  }
  return sequence.reverse();
}

function dominators(sequence: readonly number[], order: Int32Array, predecessors: readonly number[][]): Int32Array {
  const dominator = new Int32Array(order.length).fill(-1);
  dominator[0] = 0;
  const common = (a: number, b: number): number => {
    let x = a;
    let y = b;
    while (x !== y) {
      while (order[x] > order[y]) x = dominator[x];
      while (order[y] > order[x]) y = dominator[y];
    }
    return x;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const node of sequence) {
      if (node === 0) continue;
      let found = -1;
      for (const from of predecessors[node]) {
        if (dominator[from] < 0) continue;
        found = found < 0 ? from : common(found, from);
      }
      if (dominator[node] !== found) {
        dominator[node] = found;
        changed = true;
      }
    }
  }
  return dominator;
}
