// grant_table_op: decodes the requests; what they do is in `src/hypervisor/grant`. Requests come in
// arrays; each gets a status of its own. Source: Xen public/grant_table.h.

import {
  DomidReserved,
  Errno,
  GnttabOp,
  GntStatus,
  GNTTAB_COPY,
  GNTTAB_COPY_SIZE,
  GNTTAB_GET_VERSION,
  GNTTAB_MAP_GRANT_REF,
  GNTTAB_MAP_GRANT_REF_SIZE,
  GNTTAB_QUERY_SIZE,
  GNTTAB_QUERY_SIZE_SIZE,
  GNTTAB_SETUP_TABLE,
  GNTTAB_SETUP_TABLE_SIZE,
  GNTTAB_SWAP_GRANT_REF,
  GNTTAB_SWAP_GRANT_REF_SIZE,
  GNTTAB_TRANSFER,
  GNTTAB_TRANSFER_SIZE,
  GNTTAB_UNMAP_AND_REPLACE,
  GNTTAB_UNMAP_AND_REPLACE_SIZE,
  GNTTAB_UNMAP_GRANT_REF,
  GNTTAB_UNMAP_GRANT_REF_SIZE,
} from '../../../abi/index.ts';
import { domid, type Vaddr, vaddr } from '../../../base/index.ts';
import { copyGranted } from '../../grant/copy.ts';
import { MAX_GRANT_FRAMES } from '../../grant/grant-table.ts';
import { mapGrantRef, unmapAndReplace, unmapGrantRef } from '../../grant/map.ts';
import { growGrantTable } from '../../grant/table-size.ts';
import type { GuestBuffer } from '../../guest-access.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import { CONTINUE, type HypercallArgs } from '../arguments.ts';

/** Requests that one entry carries out at most. */
const REQUESTS_PER_ENTRY = 64;

/** Bits of the command that name the operation. */
const COMMAND_MASK = 0xfff;

/** An operation on one element of the array; gives its status. */
type ElementOp = (pcpu: Pcpu, vcpu: Vcpu, request: GuestBuffer) => number;

/** grant_table_op(cmd, array, count) */
export function grantTableOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  if (args.int(2) < 0) return -Errno.EINVAL;
  switch (args.lo(0) & COMMAND_MASK) {
    case GnttabOp.GNTTABOP_map_grant_ref:
      return each(pcpu, vcpu, args, GNTTAB_MAP_GRANT_REF_SIZE, GNTTAB_MAP_GRANT_REF.status, mapGrantRef);
    case GnttabOp.GNTTABOP_unmap_grant_ref:
      return each(pcpu, vcpu, args, GNTTAB_UNMAP_GRANT_REF_SIZE, GNTTAB_UNMAP_GRANT_REF.status, unmapGrantRef);
    case GnttabOp.GNTTABOP_unmap_and_replace:
      return each(pcpu, vcpu, args, GNTTAB_UNMAP_AND_REPLACE_SIZE, GNTTAB_UNMAP_AND_REPLACE.status, unmapAndReplace);
    case GnttabOp.GNTTABOP_copy:
      return each(pcpu, vcpu, args, GNTTAB_COPY_SIZE, GNTTAB_COPY.status, (cpu, caller, request) =>
        copyGranted(cpu, caller.domain, request),
      );
    case GnttabOp.GNTTABOP_transfer:
      return each(pcpu, vcpu, args, GNTTAB_TRANSFER_SIZE, GNTTAB_TRANSFER.status, refuseTransfer);
    case GnttabOp.GNTTABOP_swap_grant_ref:
      return each(pcpu, vcpu, args, GNTTAB_SWAP_GRANT_REF_SIZE, GNTTAB_SWAP_GRANT_REF.status, swap);
    case GnttabOp.GNTTABOP_setup_table:
      return args.lo(2) === 1 ? setupTable(pcpu, vcpu, args.vaddr(1)) : -Errno.EINVAL;
    case GnttabOp.GNTTABOP_query_size:
      return args.lo(2) === 1 ? querySize(pcpu, vcpu, args.vaddr(1)) : -Errno.EINVAL;
    case GnttabOp.GNTTABOP_set_version:
      return args.lo(2) === 1 ? setVersion(pcpu, vcpu, args.vaddr(1)) : -Errno.EINVAL;
    case GnttabOp.GNTTABOP_get_version:
      return args.lo(2) === 1 ? getVersion(pcpu, vcpu, args.vaddr(1)) : -Errno.EINVAL;
    case GnttabOp.GNTTABOP_get_status_frames:
      return -Errno.ENOSYS; // version 2 only
    case GnttabOp.GNTTABOP_cache_flush:
      return args.lo(2) === 0 ? 0 : -Errno.EOPNOTSUPP;
    case GnttabOp.GNTTABOP_dump_table:
      return -Errno.EPERM;
    default:
      return -Errno.ENOSYS;
  }
}

/** Runs an operation for each element: copy in once, carry out, copy the answer out. */
function each(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs, size: number, statusAt: number, op: ElementOp): number {
  const { request } = pcpu;
  const count = args.lo(2);
  const now = Math.min(count, REQUESTS_PER_ENTRY);
  for (let i = 0; i < now; i++) {
    const address = args.vaddr(1);
    if (!pcpu.access.copyIn(vcpu, address, request, size)) return -Errno.EFAULT;
    const status = op(pcpu, vcpu, request);
    request.view.setInt16(statusAt, status, true);
    if (!pcpu.access.copyOut(vcpu, address, request, size)) return -Errno.EFAULT;
    args.advance(1, size);
  }
  if (now === count) return 0;
  args.set(2, count - now);
  return CONTINUE;
}

/** Giving frames away is not offered; the errors are those that a guest would see if the peer did not accept. */
function refuseTransfer(pcpu: Pcpu, _vcpu: Vcpu, request: GuestBuffer): number {
  if (request.number(GNTTAB_TRANSFER.mfn) >= pcpu.frames.nrFrames) return GntStatus.GNTST_bad_page;
  const target = pcpu.domains.get(domid(request.u16(GNTTAB_TRANSFER.domid)));
  return target === undefined ? GntStatus.GNTST_bad_domain : GntStatus.GNTST_general_error;
}

function swap(pcpu: Pcpu, vcpu: Vcpu, request: GuestBuffer): number {
  const { grants } = vcpu.domain;
  const refA = request.lo(GNTTAB_SWAP_GRANT_REF.ref_a);
  const refB = request.lo(GNTTAB_SWAP_GRANT_REF.ref_b);
  const a = grants.wordOf(refA);
  const b = grants.wordOf(refB);
  if (a < 0 || b < 0) return GntStatus.GNTST_bad_gntref;
  if (grants.active.has(refA) || grants.active.has(refB)) return GntStatus.GNTST_eagain;
  const { u32 } = pcpu.memory;
  for (let i = 0; i < 2; i++) {
    const kept = u32[a + i] ?? 0;
    u32[a + i] = u32[b + i] ?? 0;
    u32[b + i] = kept;
  }
  return GntStatus.GNTST_okay;
}

/** True when a request is about the caller's own table, which is all that a guest may ask about. */
function isOwn(vcpu: Vcpu, named: number): boolean {
  return named === DomidReserved.DOMID_SELF || named === vcpu.domain.domid;
}

/** Makes the table as long as the guest wants and tells it the frames. */
function setupTable(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, address, request, GNTTAB_SETUP_TABLE_SIZE)) return -Errno.EFAULT;
  const list = request.address(GNTTAB_SETUP_TABLE.frame_list);
  const count = request.lo(GNTTAB_SETUP_TABLE.nr_frames);
  let status: number = GntStatus.GNTST_okay;
  if (!isOwn(vcpu, request.u16(GNTTAB_SETUP_TABLE.dom))) status = GntStatus.GNTST_permission_denied;
  else if (!growGrantTable(pcpu, vcpu.domain, count)) status = GntStatus.GNTST_general_error;
  else status = giveFrames(pcpu, vcpu, list, count);
  request.view.setInt16(GNTTAB_SETUP_TABLE.status, status, true);
  return pcpu.access.copyOut(vcpu, address, request, GNTTAB_SETUP_TABLE_SIZE) ? 0 : -Errno.EFAULT;
}

function giveFrames(pcpu: Pcpu, vcpu: Vcpu, list: Vaddr | -1, count: number): number {
  for (let i = 0; i < count; i++) {
    const at = list < 0 ? -1 : vaddr(list + 8 * i);
    if (!pcpu.access.writeU64(vcpu, at, vcpu.domain.grants.frames[i] ?? 0, 0)) return GntStatus.GNTST_bad_virt_addr;
  }
  return GntStatus.GNTST_okay;
}

function querySize(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, address, request, GNTTAB_QUERY_SIZE_SIZE)) return -Errno.EFAULT;
  const own = isOwn(vcpu, request.u16(GNTTAB_QUERY_SIZE.dom));
  if (own) {
    request.u32[GNTTAB_QUERY_SIZE.nr_frames / 4] = vcpu.domain.grants.frames.length;
    request.u32[GNTTAB_QUERY_SIZE.max_nr_frames / 4] = MAX_GRANT_FRAMES;
  }
  const status = own ? GntStatus.GNTST_okay : GntStatus.GNTST_permission_denied;
  request.view.setInt16(GNTTAB_QUERY_SIZE.status, status, true);
  return pcpu.access.copyOut(vcpu, address, request, GNTTAB_QUERY_SIZE_SIZE) ? 0 : -Errno.EFAULT;
}

/** Only version 1 exists. The version in force is written back in any case. */
function setVersion(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1): number {
  const version = pcpu.access.readU32(vcpu, address);
  if (version < 0) return -Errno.EFAULT;
  if (!pcpu.access.writeU32(vcpu, address, 1)) return -Errno.EFAULT;
  if (version === 1) return 0;
  return version === 2 ? -Errno.ENOSYS : -Errno.EINVAL;
}

function getVersion(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, address, request, 8)) return -Errno.EFAULT;
  if (!isOwn(vcpu, request.u16(GNTTAB_GET_VERSION.dom))) return -Errno.EPERM;
  request.u32[GNTTAB_GET_VERSION.version / 4] = 1;
  return pcpu.access.copyOut(vcpu, address, request, 8) ? 0 : -Errno.EFAULT;
}
