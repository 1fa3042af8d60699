// xen_version: what the hypervisor says about itself. Source: Xen public/version.h.

import {
  Errno,
  HypervisorVirt,
  VmAssist,
  XEN_CAPABILITIES_INFO_LEN,
  XEN_CHANGESET_INFO_LEN,
  XEN_COMPILE_INFO,
  XEN_COMPILE_INFO_SIZE,
  XEN_EXTRAVERSION_LEN,
  XEN_FEATURE_INFO,
  XenFeat,
  XenVer,
} from '../../../abi/index.ts';
import type { Vaddr } from '../../../base/index.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { HypercallArgs } from '../arguments.ts';

/** Version whose interface this is. */
const VERSION = (4 << 16) | 17;
const EXTRAVERSION = '-zendo';
const CAPABILITIES = 'xen-3.0-x86_64 ';
const CHANGESET = 'none';
/** What a guest gets for what only domain 0 may know. */
const DENIED = '<denied>';

/** Features of every PV guest. */
const FEATURES =
  (1 << XenFeat.XENFEAT_mmu_pt_update_preserve_ad) |
  (1 << XenFeat.XENFEAT_highmem_assist) |
  (1 << XenFeat.XENFEAT_gnttab_map_avail_bits) |
  (1 << XenFeat.XENFEAT_memory_op_vnode_supported) |
  (1 << XenFeat.XENFEAT_direct_mapped);

/** Bit that a guest sees once it has enabled pae_extended_cr3. Source: XENFEAT_pae_pgdir_above_4gb. */
const PAE_PGDIR_ABOVE_4GB = 1 << 4;

/** xen_version(cmd, arg) */
export function xenVersion(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const address = args.vaddr(1);
  switch (args.int(0)) {
    case XenVer.XENVER_version:
      return VERSION;
    case XenVer.XENVER_extraversion:
      return giveText(pcpu, vcpu, address, EXTRAVERSION, XEN_EXTRAVERSION_LEN);
    case XenVer.XENVER_compile_info:
      pcpu.request.u8.fill(0, 0, XEN_COMPILE_INFO_SIZE);
      putText(pcpu, XEN_COMPILE_INFO.compiler, 'TypeScript');
      putText(pcpu, XEN_COMPILE_INFO.compile_by, 'zendo');
      return pcpu.access.copyOut(vcpu, address, pcpu.request, XEN_COMPILE_INFO_SIZE) ? 0 : -Errno.EFAULT;
    case XenVer.XENVER_capabilities:
      return giveText(pcpu, vcpu, address, CAPABILITIES, XEN_CAPABILITIES_INFO_LEN);
    case XenVer.XENVER_changeset:
      return giveText(pcpu, vcpu, address, CHANGESET, XEN_CHANGESET_INFO_LEN);
    case XenVer.XENVER_platform_parameters:
      return pcpu.access.writeU64(vcpu, address, 0, HypervisorVirt.START / 0x100000000 + 0xffff0000)
        ? 0
        : -Errno.EFAULT;
    case XenVer.XENVER_get_features:
      return getFeatures(pcpu, vcpu, address);
    case XenVer.XENVER_pagesize:
      return (args.lo(1) | args.hi(1)) === 0 ? 4096 : -Errno.EINVAL;
    case XenVer.XENVER_guest_handle:
      pcpu.request.u8.set(vcpu.domain.handle);
      return pcpu.access.copyOut(vcpu, address, pcpu.request, vcpu.domain.handle.length) ? 0 : -Errno.EFAULT;
    case XenVer.XENVER_commandline:
      return giveText(pcpu, vcpu, address, DENIED, DENIED.length + 1);
    case XenVer.XENVER_build_id:
      return -Errno.EPERM;
    default:
      return -Errno.ENOSYS;
  }
}

function getFeatures(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, address, request, 8)) return -Errno.EFAULT;
  if (request.lo(XEN_FEATURE_INFO.submap_idx) !== 0) return -Errno.EINVAL;
  const extended = (vcpu.domain.vmAssist & (1 << VmAssist.VMASST_TYPE_pae_extended_cr3)) !== 0;
  request.u32[XEN_FEATURE_INFO.submap / 4] = FEATURES | (extended ? PAE_PGDIR_ABOVE_4GB : 0);
  return pcpu.access.copyOut(vcpu, address, request, 8) ? 0 : -Errno.EFAULT;
}

/** Copies a text, padded with NUL to `length` bytes, to the guest. */
function giveText(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1, text: string, length: number): number {
  pcpu.request.u8.fill(0, 0, length);
  putText(pcpu, 0, text);
  return pcpu.access.copyOut(vcpu, address, pcpu.request, length) ? 0 : -Errno.EFAULT;
}

function putText(pcpu: Pcpu, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) pcpu.request.u8[at + i] = text.charCodeAt(i);
}
