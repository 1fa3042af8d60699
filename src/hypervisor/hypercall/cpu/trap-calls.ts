// Hypercalls that register entry points: set_trap_table, set_callbacks, callback_op, nmi_op.
// Source: Xen public/arch-x86/xen.h (trap_info), public/callback.h, public/nmi.h.

import {
  CALLBACK_REGISTER,
  CALLBACK_REGISTER_SIZE,
  CALLBACKF_mask_events,
  CallbackOp,
  CallbackType,
  Errno,
  TRAP_INFO,
  TRAP_INFO_SIZE,
  TrapInfoFlag,
  XenNmi,
  XENNMI_CALLBACK,
} from '../../../abi/index.ts';
import { canonicalVaddr, Vector } from '../../../x86/index.ts';
import type { EntryPoint } from '../../entry-point.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import { CONTINUE, ELEMENTS_PER_ENTRY, type HypercallArgs } from '../arguments.ts';

/** set_trap_table(trap_info *table): adds the entries up to one with address 0; a null pointer clears all. */
export function setTrapTable(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  if (args.lo(0) === 0 && args.hi(0) === 0) {
    vcpu.traps.clear();
    return 0;
  }
  const { request } = pcpu;
  for (let i = 0; i < ELEMENTS_PER_ENTRY; i++) {
    if (!pcpu.access.copyIn(vcpu, args.vaddr(0), request, TRAP_INFO_SIZE)) return -Errno.EFAULT;
    const lo = request.lo(TRAP_INFO.address);
    const hi = request.hi(TRAP_INFO.address);
    if (canonicalVaddr(lo, hi) < 0) return -Errno.EINVAL;
    if ((lo | hi) === 0) return 0;
    const flags = (request.u8[TRAP_INFO.flags] ?? 0) & (TrapInfoFlag.DPL | TrapInfoFlag.MASK_EVENTS);
    vcpu.traps.set(request.u8[TRAP_INFO.vector] ?? 0, flags, request.u16(TRAP_INFO.cs) | 3, lo, hi);
    args.advance(0, TRAP_INFO_SIZE);
  }
  return CONTINUE;
}

/** set_callbacks(event, failsafe, syscall): three addresses at once. */
export function setCallbacks(_pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  for (let i = 0; i < 3; i++) if (canonicalVaddr(args.lo(i), args.hi(i)) < 0) return -Errno.EINVAL;
  vcpu.eventCallback.set(args.lo(0), args.hi(0), true);
  vcpu.failsafeCallback.set(args.lo(1), args.hi(1), vcpu.failsafeCallback.maskEvents);
  vcpu.syscallCallback.set(args.lo(2), args.hi(2), vcpu.syscallCallback.maskEvents);
  return 0;
}

/** callback_op(cmd, arg): registers or unregisters one entry point. */
export function callbackOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const { request } = pcpu;
  switch (args.int(0)) {
    case CallbackOp.CALLBACKOP_register: {
      if (!pcpu.access.copyIn(vcpu, args.vaddr(1), request, CALLBACK_REGISTER_SIZE)) return -Errno.EFAULT;
      const lo = request.lo(CALLBACK_REGISTER.address);
      const hi = request.hi(CALLBACK_REGISTER.address);
      const masks = (request.u16(CALLBACK_REGISTER.flags) & CALLBACKF_mask_events) !== 0;
      return register(vcpu, request.u16(CALLBACK_REGISTER.type), lo, hi, masks);
    }
    case CallbackOp.CALLBACKOP_unregister:
      if (!pcpu.access.copyIn(vcpu, args.vaddr(1), request, 2)) return -Errno.EFAULT;
      return unregister(vcpu, request.u16(CALLBACK_REGISTER.type));
    default:
      return -Errno.ENOSYS;
  }
}

function register(vcpu: Vcpu, type: number, lo: number, hi: number, masks: boolean): number {
  if (canonicalVaddr(lo, hi) < 0) return -Errno.EINVAL;
  if (type === CallbackType.CALLBACKTYPE_nmi) return registerNmi(vcpu, lo, hi);
  const entry = entryOf(vcpu, type);
  if (entry === undefined) return -Errno.ENOSYS;
  entry.set(lo, hi, masks || type === CallbackType.CALLBACKTYPE_event);
  return 0;
}

/** Events, failsafe and system calls are needed for good: only the others can be given up. */
function unregister(vcpu: Vcpu, type: number): number {
  switch (type) {
    case CallbackType.CALLBACKTYPE_event:
    case CallbackType.CALLBACKTYPE_failsafe:
    case CallbackType.CALLBACKTYPE_syscall:
    case CallbackType.CALLBACKTYPE_sysenter:
    case CallbackType.CALLBACKTYPE_syscall32:
      return -Errno.EINVAL;
    case CallbackType.CALLBACKTYPE_nmi:
      return registerNmi(vcpu, 0, 0);
    default:
      return -Errno.ENOSYS;
  }
}

function entryOf(vcpu: Vcpu, type: number): EntryPoint | undefined {
  switch (type) {
    case CallbackType.CALLBACKTYPE_event:
      return vcpu.eventCallback;
    case CallbackType.CALLBACKTYPE_failsafe:
      return vcpu.failsafeCallback;
    case CallbackType.CALLBACKTYPE_syscall:
      return vcpu.syscallCallback;
    case CallbackType.CALLBACKTYPE_sysenter:
    case CallbackType.CALLBACKTYPE_sysenter_deprecated:
      return vcpu.sysenterCallback;
    case CallbackType.CALLBACKTYPE_syscall32:
      return vcpu.syscall32Callback;
    default:
      return undefined;
  }
}

/** nmi_op(cmd, arg) */
export function nmiOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  switch (args.int(0)) {
    case XenNmi.XENNMI_register_callback: {
      if (!pcpu.access.copyIn(vcpu, args.vaddr(1), pcpu.request, 8)) return -Errno.EFAULT;
      return registerNmi(
        vcpu,
        pcpu.request.lo(XENNMI_CALLBACK.handler_address),
        pcpu.request.hi(XENNMI_CALLBACK.handler_address),
      );
    }
    case XenNmi.XENNMI_unregister_callback:
      return registerNmi(vcpu, 0, 0);
    default:
      return -Errno.ENOSYS;
  }
}

function registerNmi(vcpu: Vcpu, lo: number, hi: number): number {
  if (canonicalVaddr(lo, hi) < 0) return -Errno.EINVAL;
  vcpu.traps.set(Vector.NMI, TrapInfoFlag.MASK_EVENTS, vcpu.traps.cs[Vector.NMI] ?? 0, lo, hi);
  return 0;
}
