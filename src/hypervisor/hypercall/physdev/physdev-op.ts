// physdev_op: a guest without devices can set its I/O privileges; everything about interrupts and PCI
// is for domain 0. Source: Xen public/physdev.h.

import { Errno, PHYSDEV_SET_IOBITMAP, PHYSDEV_SET_IOBITMAP_SIZE, PhysdevOp } from '../../../abi/index.ts';
import { vaddr } from '../../../base/index.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { HypercallArgs } from '../arguments.ts';

const NR_PORTS = 65536;

/** physdev_op(cmd, arg) */
export function physdevOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  switch (args.int(0)) {
    case PhysdevOp.PHYSDEVOP_set_iopl: {
      const iopl = pcpu.access.readU32(vcpu, args.vaddr(1));
      if (iopl < 0) return -Errno.EFAULT;
      if (iopl > 3) return -Errno.EINVAL;
      vcpu.iopl = iopl;
      return 0;
    }
    case PhysdevOp.PHYSDEVOP_set_iobitmap:
      return setIoBitmap(pcpu, vcpu, args);
    case PhysdevOp.PHYSDEVOP_manage_pci_add:
    case PhysdevOp.PHYSDEVOP_manage_pci_remove:
    case PhysdevOp.PHYSDEVOP_manage_pci_add_ext:
    case PhysdevOp.PHYSDEVOP_pci_mmcfg_reserved:
    case PhysdevOp.PHYSDEVOP_pci_device_add:
    case PhysdevOp.PHYSDEVOP_pci_device_remove:
    case PhysdevOp.PHYSDEVOP_prepare_msix:
    case PhysdevOp.PHYSDEVOP_release_msix:
    case PhysdevOp.PHYSDEVOP_setup_gsi:
    case PhysdevOp.PHYSDEVOP_apic_read:
    case PhysdevOp.PHYSDEVOP_apic_write:
    case PhysdevOp.PHYSDEVOP_alloc_irq_vector:
      return -Errno.EPERM;
    default:
      return -Errno.ENOSYS;
  }
}

/** Takes a copy of the guest's bitmap: a set bit denies a port; ports beyond its end are denied. */
function setIoBitmap(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, args.vaddr(1), request, PHYSDEV_SET_IOBITMAP_SIZE)) return -Errno.EFAULT;
  const address = request.address(PHYSDEV_SET_IOBITMAP.bitmap);
  const isNull = (request.lo(PHYSDEV_SET_IOBITMAP.bitmap) | request.hi(PHYSDEV_SET_IOBITMAP.bitmap)) === 0;
  const nrPorts = request.lo(PHYSDEV_SET_IOBITMAP.nr_ports);
  if (nrPorts > NR_PORTS) return -Errno.EINVAL;
  if (nrPorts === 0 || isNull) {
    vcpu.ioBitmap = undefined;
    return 0;
  }
  const bytes = Math.ceil(nrPorts / 8);
  const bitmap = new Uint8Array(bytes);
  for (let done = 0; done < bytes; done += request.u8.length) {
    const count = Math.min(bytes - done, request.u8.length);
    if (address < 0 || !pcpu.access.copyIn(vcpu, vaddr(address + done), request, count)) return -Errno.EFAULT;
    bitmap.set(request.u8.subarray(0, count), done);
  }
  if (nrPorts % 8 !== 0) bitmap[bytes - 1] = (bitmap[bytes - 1] ?? 0) | (0xff << (nrPorts % 8));
  vcpu.ioBitmap = bitmap;
  return 0;
}
