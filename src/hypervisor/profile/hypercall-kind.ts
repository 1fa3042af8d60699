// Kinds of hypercalls as a profile tells them apart: the number, and what the costs depend on: the sub-operation, the
// length of a list, the flush that is asked for. A kind is a small number; only names of it leave this file.

import { Hypercall, MEMOP_CMD_MASK, MMU_UPDATE_PREEMPTED, NR_HYPERCALLS, Uvmf } from '../../abi/index.ts';
import type { Vaddr } from '../../base/index.ts';
import type { HypercallArgs } from '../hypercall/arguments.ts';
import { SUB_OPERATION_NAMES } from '../hypercall/sub-operations.ts';
import { hypercallsByNumber } from '../hypercall/table.ts';

/** Kinds of one hypercall. */
const KINDS_EACH = 64;
const OTHER = KINDS_EACH - 1;

/** Number of kinds. The last hypercall's stand for the numbers that nobody knows. */
export const NR_HYPERCALL_KINDS: number = (NR_HYPERCALLS + 1) * KINDS_EACH;

/** Reads a word of the guest; undefined when it cannot be read. */
export type ReadWord = (address: Vaddr) => number | undefined;

const ROWS = hypercallsByNumber();

/** Shortest lists of each length class, and their names. */
const LENGTHS = [
  [8, 'of 8 or more'],
  [2, 'of 2 to 7'],
  [1, 'of 1'],
  [0, 'of 0'],
] as const;

interface Kinds {
  of(args: HypercallArgs, read: ReadWord): number;
  name(kind: number): string | undefined;
}

const byLength: Kinds = {
  of: (args) => LENGTHS.findIndex(([shortest]) => (args.lo(1) & ~MMU_UPDATE_PREEMPTED) >>> 0 >= shortest),
  name: (kind) => LENGTHS[kind]?.[1],
};

const byFlush: Kinds = {
  of: (args) => args.lo(2) & Uvmf.UVMF_FLUSHTYPE_MASK,
  name: (kind) => ['', 'UVMF_TLB_FLUSH', 'UVMF_INVLPG'][kind],
};

/** By the command in the first argument. */
function byCommand(names: Readonly<Record<string, number>>, mask = 0xffffffff): Kinds {
  return { of: (args) => (args.lo(0) & mask) >>> 0, name: (kind) => nameOf(names, kind) };
}

/** By the first command of the list: the commands of one list are alike as a rule. */
const byFirstOfList: Kinds = {
  of: (args, read) => {
    const address = args.vaddr(0);
    return (address === -1 ? undefined : read(address)) ?? OTHER;
  },
  name: (kind) => nameOf(SUB_OPERATION_NAMES.mmuext_op, kind),
};

const N = SUB_OPERATION_NAMES;
const H = Hypercall;

const KINDS: ReadonlyMap<number, Kinds> = new Map<number, Kinds>([
  [H.__HYPERVISOR_mmu_update, byLength],
  [H.__HYPERVISOR_multicall, byLength],
  [H.__HYPERVISOR_update_va_mapping, byFlush],
  [H.__HYPERVISOR_mmuext_op, byFirstOfList],
  [H.__HYPERVISOR_memory_op, byCommand(N.memory_op, MEMOP_CMD_MASK)],
  [H.__HYPERVISOR_xen_version, byCommand(N.xen_version)],
  [H.__HYPERVISOR_console_io, byCommand(N.console_io)],
  [H.__HYPERVISOR_grant_table_op, byCommand(N.grant_table_op)],
  [H.__HYPERVISOR_vcpu_op, byCommand(N.vcpu_op)],
  [H.__HYPERVISOR_nmi_op, byCommand(N.nmi_op)],
  [H.__HYPERVISOR_sched_op, byCommand(N.sched_op)],
  [H.__HYPERVISOR_callback_op, byCommand(N.callback_op)],
  [H.__HYPERVISOR_event_channel_op, byCommand(N.event_channel_op)],
  [H.__HYPERVISOR_physdev_op, byCommand(N.physdev_op)],
]);

/** Kind of a hypercall. @param number - any number; @param args - its arguments */
export function hypercallKind(number: number, args: HypercallArgs, read: ReadWord): number {
  if (ROWS[number] === undefined) return NR_HYPERCALLS * KINDS_EACH;
  const kind = KINDS.get(number)?.of(args, read) ?? 0;
  return number * KINDS_EACH + Math.min(kind, OTHER);
}

/** Name of a kind of hypercall. */
export function hypercallKindName(kind: number): string {
  const number = Math.floor(kind / KINDS_EACH);
  const name = ROWS[number]?.name;
  if (name === undefined) return 'unknown hypercalls';
  const kinds = KINDS.get(number);
  if (kinds === undefined) return name;
  return `${name} ${kinds.name(kind % KINDS_EACH) ?? 'of another kind'}`.trimEnd();
}

function nameOf(names: Readonly<Record<string, number>>, number: number): string | undefined {
  return Object.entries(names).find(([, value]) => value === number)?.[0];
}
