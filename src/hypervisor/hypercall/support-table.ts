// The table in docs/hypercalls.md: every hypercall with its sub-operations, and how far each goes. Made
// from the dispatcher's own table, so that it names what there is.

import { SUB_OPERATION_NAMES as NAMES } from './sub-operations.ts';
import { HYPERCALLS } from './table.ts';

/** Sub-operations of a hypercall: the public names, what is true of most, and what is true of the others. */
interface SubOperations {
  readonly names: Readonly<Record<string, number>>;
  readonly most: string;
  readonly others: Readonly<Record<string, string>>;
}

const YES = 'yes';
const NONE = 'not offered (-ENOSYS)';
const DOM0 = 'refused (-EPERM)';

const SUB_OPERATIONS: Readonly<Record<string, SubOperations>> = {
  memory_op: {
    names: NAMES.memory_op,
    most: NONE,
    others: {
      XENMEM_increase_reservation: YES,
      XENMEM_decrease_reservation: YES,
      XENMEM_maximum_ram_page: YES,
      XENMEM_current_reservation: YES,
      XENMEM_maximum_reservation: YES,
      XENMEM_populate_physmap: YES,
      XENMEM_memory_map: YES,
      XENMEM_exchange: YES,
      XENMEM_machphys_mapping: YES,
      XENMEM_machphys_mfn_list: YES,
      XENMEM_maximum_gpfn: YES,
      XENMEM_add_to_physmap: 'refused',
      XENMEM_add_to_physmap_batch: 'refused (-EACCES)',
      XENMEM_remove_from_physmap: 'refused (-EACCES)',
      XENMEM_machine_memory_map: DOM0,
      XENMEM_set_memory_map: DOM0,
      XENMEM_set_pod_target: DOM0,
      XENMEM_get_pod_target: DOM0,
      XENMEM_claim_pages: DOM0,
      XENMEM_acquire_resource: DOM0,
    },
  },
  xen_version: {
    names: NAMES.xen_version,
    most: YES,
    others: { XENVER_commandline: 'tells `<denied>`', XENVER_build_id: DOM0 },
  },
  console_io: {
    names: NAMES.console_io,
    most: 'where the machine allows it, else -EPERM',
    others: { CONSOLEIO_read: 'finds nothing' },
  },
  grant_table_op: {
    names: NAMES.grant_table_op,
    most: YES,
    others: {
      GNTTABOP_transfer: 'refused (GNTST_general_error)',
      GNTTABOP_dump_table: DOM0,
      GNTTABOP_set_version: 'version 1 only',
      GNTTABOP_get_status_frames: NONE,
      GNTTABOP_cache_flush: 'refused (-EOPNOTSUPP)',
    },
  },
  vm_assist: {
    names: NAMES.vm_assist,
    most: 'accepted, without effect',
    others: {
      VMASST_TYPE_pae_extended_cr3: 'accepted, shown in the features',
      VMASST_TYPE_architectural_iopl: YES,
      VMASST_TYPE_runstate_update_flag: YES,
      VMASST_TYPE_writable_pagetables: 'accepted; always on',
      VMASST_TYPE_m2p_strict: 'accepted; always on',
    },
  },
  vcpu_op: { names: NAMES.vcpu_op, most: YES, others: { VCPUOP_get_physid: 'refused (-EINVAL): no vCPU is pinned' } },
  mmuext_op: {
    names: NAMES.mmuext_op,
    most: YES,
    others: { MMUEXT_MARK_SUPER: 'refused (-EOPNOTSUPP)', MMUEXT_UNMARK_SUPER: 'refused (-EOPNOTSUPP)' },
  },
  nmi_op: { names: NAMES.nmi_op, most: YES, others: {} },
  sched_op: {
    names: NAMES.sched_op,
    most: YES,
    others: {
      SCHEDOP_remote_shutdown: DOM0,
      SCHEDOP_pin_override: DOM0,
      SCHEDOP_shutdown_code: 'accepted, without effect',
    },
  },
  callback_op: { names: NAMES.callback_op, most: YES, others: {} },
  event_channel_op: {
    names: NAMES.event_channel_op,
    most: YES,
    others: {
      EVTCHNOP_bind_pirq: DOM0,
      EVTCHNOP_init_control: NONE,
      EVTCHNOP_expand_array: NONE,
      EVTCHNOP_set_priority: NONE,
      EVTCHNOP_reset_cont: NONE,
    },
  },
  physdev_op: {
    names: NAMES.physdev_op,
    most: 'refused (-EPERM or -ENOSYS)',
    others: { PHYSDEVOP_set_iopl: YES, PHYSDEVOP_set_iobitmap: YES },
  },
};

const HEADING = `# Hypercalls

What a guest domain can ask for. This file is made from the dispatcher's table:
\`node --test --test-update-snapshots src/hypervisor/hypercall/support-table.test.ts\`. A number that is not listed gives -ENOSYS and
is counted (\`Control.domainInfo\`). "yes" means: behaves as under Xen 4.17, as far as a guest can tell.

| number | hypercall | support |
| --- | --- | --- |
`;

/** Text of docs/hypercalls.md. */
export function supportTable(): string {
  const rows = HYPERCALLS.map((row) => `| ${row.number} | ${row.name} | ${row.support} |`);
  const sections = HYPERCALLS.flatMap((row) => {
    const operations = SUB_OPERATIONS[row.name];
    return operations === undefined ? [] : [section(row.name, operations)];
  });
  return `${HEADING}${rows.join('\n')}\n${sections.join('')}`;
}

function section(name: string, operations: SubOperations): string {
  const lines = Object.entries(operations.names).map(
    ([operation, number]) => `| ${number} | ${operation} | ${operations.others[operation] ?? operations.most} |`,
  );
  return `\n## ${name}\n\n| number | operation | support |\n| --- | --- | --- |\n${lines.join('\n')}\n`;
}
