// XENMEM_exchange: gives frames back for others of another contiguity, chunk by chunk. A chunk is as many
// extents on either side as make up one on the larger side; each is exchanged wholly or not at all.
// Source: Xen public/memory.h; behaviour: Xen 4.17, memory_exchange.

import { Errno, XEN_MEMORY_EXCHANGE, XEN_MEMORY_EXCHANGE_SIZE, XEN_MEMORY_RESERVATION } from '../../abi/index.ts';
import { type Vaddr, vaddr } from '../../base/index.ts';
import { CONTINUE } from '../hypercall/arguments.ts';
import type { Vcpu } from '../vcpu.ts';
import { allocateUnlimited, decreaseOne, finishSteal, restore, steal } from './allocation.ts';
import { checkSelf } from './foreign-domain.ts';
import type { MemoryState } from './memory-state.ts';
import { elementAddress } from './mmu-update.ts';
import { MAX_EXTENT_ORDER } from './reservation.ts';

/** One side of an exchange. */
interface Side {
  readonly list: Vaddr | -1;
  readonly count: number;
  readonly order: number;
}

/** Carries out an exchange described at `where`. @returns 0, a negated errno, or `CONTINUE` */
export function exchange(mm: MemoryState, vcpu: Vcpu, where: Vaddr | -1): number {
  const { access } = mm.pcpu;
  const { request } = mm;
  if (where === -1 || !access.copyIn(vcpu, where, request, XEN_MEMORY_EXCHANGE_SIZE)) return -Errno.EFAULT;
  const input = readSide(mm, XEN_MEMORY_EXCHANGE.in);
  const output = readSide(mm, XEN_MEMORY_EXCHANGE.out);
  const exchanged = request.number(XEN_MEMORY_EXCHANGE.nr_exchanged);
  const owner = request.u16(XEN_MEMORY_EXCHANGE.in + XEN_MEMORY_RESERVATION.domid);
  if (input.order > MAX_EXTENT_ORDER || output.order > MAX_EXTENT_ORDER) return -Errno.EPERM;
  // Below 2^53 the products are exact; above, no list of that size exists.
  const sizesMatch = input.count * 2 ** input.order === output.count * 2 ** output.order;
  if (exchanged > input.count || input.count > 2 ** 32 || !sizesMatch) return -Errno.EINVAL;
  if (request.u16(XEN_MEMORY_EXCHANGE.out + XEN_MEMORY_RESERVATION.domid) !== owner) return -Errno.EINVAL;
  const permitted = checkSelf(mm, vcpu.domain, owner);
  if (permitted !== 0) return permitted;

  const perChunk = 2 ** Math.max(output.order - input.order, 0);
  const nrChunks = Math.floor(input.count / perChunk);
  let result = 0;
  let chunk = Math.floor(exchanged / perChunk);
  for (; chunk < nrChunks && result === 0; chunk++) {
    if (mm.budget <= 0) {
      return report(mm, vcpu, where, chunk * perChunk) ? CONTINUE : -Errno.EFAULT;
    }
    result = exchangeChunk(mm, vcpu, input, output, chunk);
  }
  const done = result === 0 ? input.count : (chunk - 1) * perChunk;
  return report(mm, vcpu, where, done) ? result : -Errno.EFAULT;
}

function readSide(mm: MemoryState, offset: number): Side {
  const { request } = mm;
  return {
    list: request.address(offset + XEN_MEMORY_RESERVATION.extent_start),
    count: request.number(offset + XEN_MEMORY_RESERVATION.nr_extents),
    order: request.lo(offset + XEN_MEMORY_RESERVATION.extent_order),
  };
}

function report(mm: MemoryState, vcpu: Vcpu, where: Vaddr, done: number): boolean {
  const at = vaddr(where + XEN_MEMORY_EXCHANGE.nr_exchanged);
  return mm.pcpu.access.writeU64(vcpu, at, done % 0x100000000, Math.floor(done / 0x100000000));
}

function exchangeChunk(mm: MemoryState, vcpu: Vcpu, input: Side, output: Side, chunk: number): number {
  const given: number[] = [];
  const perChunkIn = 2 ** Math.max(output.order - input.order, 0);
  const perChunkOut = 2 ** Math.max(input.order - output.order, 0);
  let result = takeInput(mm, vcpu, input, chunk * perChunkIn, perChunkIn, given);
  const taken: number[] = [];
  for (let i = 0; i < perChunkOut && result === 0; i++) {
    const frame = allocateUnlimited(mm, vcpu.domain, output.order);
    if (frame === undefined) result = -Errno.ENOMEM;
    else taken.push(frame);
  }
  if (result !== 0) {
    for (const frame of taken) {
      for (let j = 0; j < 2 ** output.order; j++) decreaseOne(mm, vcpu.domain, frame + j);
    }
    for (const frame of given) restore(mm, frame);
    return result;
  }
  for (const frame of given) finishSteal(mm, frame);
  return putOutput(mm, vcpu, output, chunk * perChunkOut, taken);
}

/** Takes the frames of a chunk from the domain; those that were taken are in `given`, also on failure. */
function takeInput(mm: MemoryState, vcpu: Vcpu, input: Side, first: number, count: number, given: number[]): number {
  for (let i = 0; i < count; i++) {
    if (!mm.pcpu.access.copyIn(vcpu, elementAddress(input.list, first + i, 8), mm.word, 8)) return -Errno.EFAULT;
    const frame = mm.word.number(0);
    for (let j = 0; j < 2 ** input.order; j++) {
      if (!steal(mm, vcpu.domain, frame + j)) return -Errno.EINVAL;
      given.push(frame + j);
    }
  }
  return 0;
}

/** Gives the new frames the pfns that the output list names, and writes their numbers there. */
function putOutput(mm: MemoryState, vcpu: Vcpu, output: Side, first: number, taken: readonly number[]): number {
  const { access } = mm.pcpu;
  let result = 0;
  for (const [i, frame] of taken.entries()) {
    const element = elementAddress(output.list, first + i, 8);
    if (!access.copyIn(vcpu, element, mm.word, 8)) {
      result = -Errno.EFAULT;
      continue;
    }
    const pfn = mm.word.number(0);
    for (let j = 0; j < 2 ** output.order; j++) {
      mm.m2p.set(frame + j, (pfn + j) % 0x100000000, Math.floor((pfn + j) / 0x100000000));
    }
    if (!access.writeU64(vcpu, element, frame, 0)) result = -Errno.EFAULT;
  }
  return result;
}
