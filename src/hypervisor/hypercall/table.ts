// The table of hypercalls: one row a number, with what becomes of it. The dispatcher, the counters and
// docs/hypercalls.md all come from here. iret and multicall are special to the dispatcher.

import { Hypercall, NR_HYPERCALLS } from '../../abi/index.ts';
import { consoleIo } from './console/console-io.ts';
import {
  fpuTaskswitch,
  getDebugreg,
  setDebugreg,
  setSegmentBase,
  stackSwitch,
  vmAssist,
} from './cpu/processor-calls.ts';
import { callbackOp, nmiOp, setCallbacks, setTrapTable } from './cpu/trap-calls.ts';
import { eventChannelOp } from './event/event-channel-op.ts';
import { grantTableOp } from './grant/grant-table-op.ts';
import type { Handler } from './handler.ts';
import { physdevOp } from './physdev/physdev-op.ts';
import { notOffered, notPermitted } from './refused.ts';
import { schedOp, schedOpCompat, setTimerOp } from './sched/sched-op.ts';
import { vcpuOp } from './vcpu/vcpu-op.ts';
import { xenVersion } from './version/xen-version.ts';

/** One hypercall. */
export interface HypercallRow {
  readonly number: number;
  /** Public name without `__HYPERVISOR_`. */
  readonly name: string;
  readonly handler: Handler;
  /** How far it goes, in a few words, for the table in docs. */
  readonly support: string;
}

const YES = 'yes';
const DOM0 = 'refused: for domain 0 only (-EPERM)';
const NONE = 'not offered (-ENOSYS)';

const H = Hypercall;

/** All hypercalls that have a name, by number. */
export const HYPERCALLS: readonly HypercallRow[] = [
  row(H.__HYPERVISOR_set_trap_table, 'set_trap_table', setTrapTable, YES),
  row(H.__HYPERVISOR_mmu_update, 'mmu_update', (pcpu, vcpu, args) => pcpu.mm.mmuUpdate(vcpu, args), YES),
  row(H.__HYPERVISOR_set_gdt, 'set_gdt', (pcpu, vcpu, args) => pcpu.mm.setGdt(vcpu, args), YES),
  row(H.__HYPERVISOR_stack_switch, 'stack_switch', stackSwitch, YES),
  row(H.__HYPERVISOR_set_callbacks, 'set_callbacks', setCallbacks, YES),
  row(H.__HYPERVISOR_fpu_taskswitch, 'fpu_taskswitch', fpuTaskswitch, 'kept; the engine never raises #NM'),
  row(H.__HYPERVISOR_sched_op_compat, 'sched_op_compat', schedOpCompat, YES),
  row(H.__HYPERVISOR_platform_op, 'platform_op', notPermitted, DOM0),
  row(H.__HYPERVISOR_set_debugreg, 'set_debugreg', setDebugreg, 'kept; breakpoints do not fire'),
  row(H.__HYPERVISOR_get_debugreg, 'get_debugreg', getDebugreg, YES),
  row(
    H.__HYPERVISOR_update_descriptor,
    'update_descriptor',
    (pcpu, vcpu, args) => pcpu.mm.updateDescriptor(vcpu, args),
    YES,
  ),
  row(H.__HYPERVISOR_memory_op, 'memory_op', (pcpu, vcpu, args) => pcpu.mm.memoryOp(vcpu, args), YES),
  row(H.__HYPERVISOR_multicall, 'multicall', notOffered, YES),
  row(
    H.__HYPERVISOR_update_va_mapping,
    'update_va_mapping',
    (pcpu, vcpu, args) => pcpu.mm.updateVaMapping(vcpu, args),
    YES,
  ),
  row(H.__HYPERVISOR_set_timer_op, 'set_timer_op', setTimerOp, YES),
  row(H.__HYPERVISOR_event_channel_op_compat, 'event_channel_op_compat', notOffered, NONE),
  row(H.__HYPERVISOR_xen_version, 'xen_version', xenVersion, 'yes; the command line and build id are not told'),
  row(
    H.__HYPERVISOR_console_io,
    'console_io',
    consoleIo,
    'writing where the machine allows it, else -EPERM; reading finds nothing',
  ),
  row(H.__HYPERVISOR_physdev_op_compat, 'physdev_op_compat', notOffered, NONE),
  row(H.__HYPERVISOR_grant_table_op, 'grant_table_op', grantTableOp, 'version 1; transfer is refused'),
  row(H.__HYPERVISOR_vm_assist, 'vm_assist', vmAssist, YES),
  row(
    H.__HYPERVISOR_update_va_mapping_otherdomain,
    'update_va_mapping_otherdomain',
    (pcpu, vcpu, args) => pcpu.mm.updateVaMappingOtherdomain(vcpu, args),
    YES,
  ),
  row(H.__HYPERVISOR_iret, 'iret', notOffered, 'yes; 32-bit code segments get #GP'),
  row(H.__HYPERVISOR_vcpu_op, 'vcpu_op', vcpuOp, 'yes; get_physid is refused'),
  row(H.__HYPERVISOR_set_segment_base, 'set_segment_base', setSegmentBase, YES),
  row(H.__HYPERVISOR_mmuext_op, 'mmuext_op', (pcpu, vcpu, args) => pcpu.mm.mmuextOp(vcpu, args), YES),
  row(H.__HYPERVISOR_xsm_op, 'xsm_op', notOffered, NONE),
  row(H.__HYPERVISOR_nmi_op, 'nmi_op', nmiOp, YES),
  row(H.__HYPERVISOR_sched_op, 'sched_op', schedOp, 'yes; remote_shutdown and pin_override are refused'),
  row(H.__HYPERVISOR_callback_op, 'callback_op', callbackOp, YES),
  row(H.__HYPERVISOR_xenoprof_op, 'xenoprof_op', notOffered, NONE),
  row(H.__HYPERVISOR_event_channel_op, 'event_channel_op', eventChannelOp, '2-level interface; FIFO is not offered'),
  row(H.__HYPERVISOR_physdev_op, 'physdev_op', physdevOp, 'set_iopl and set_iobitmap'),
  row(H.__HYPERVISOR_hvm_op, 'hvm_op', notOffered, NONE),
  row(H.__HYPERVISOR_sysctl, 'sysctl', notPermitted, DOM0),
  row(H.__HYPERVISOR_domctl, 'domctl', notPermitted, DOM0),
  row(H.__HYPERVISOR_kexec_op, 'kexec_op', notPermitted, DOM0),
  row(H.__HYPERVISOR_tmem_op, 'tmem_op', notOffered, NONE),
  row(H.__HYPERVISOR_argo_op, 'argo_op', notOffered, NONE),
  row(H.__HYPERVISOR_xenpmu_op, 'xenpmu_op', notOffered, NONE),
  row(H.__HYPERVISOR_dm_op, 'dm_op', notOffered, NONE),
  row(H.__HYPERVISOR_hypfs_op, 'hypfs_op', notOffered, NONE),
];

/** Rows by number, with a hole for each number that nobody knows. */
export function hypercallsByNumber(): readonly (HypercallRow | undefined)[] {
  const rows = Array.from({ length: NR_HYPERCALLS }, (): HypercallRow | undefined => undefined);
  for (const entry of HYPERCALLS) rows[entry.number] = entry;
  return rows;
}

function row(number: number, name: string, handler: Handler, support: string): HypercallRow {
  return { number, name, handler, support };
}
