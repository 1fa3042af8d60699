// Registration of guest entry points. Source: Xen public/callback.h and public/nmi.h.

/** Commands of callback_op. */
export const CallbackOp = { CALLBACKOP_register: 0, CALLBACKOP_unregister: 1 } as const;

/** Kinds of callback. */
export const CallbackType = {
  CALLBACKTYPE_event: 0,
  CALLBACKTYPE_failsafe: 1,
  CALLBACKTYPE_syscall: 2,
  CALLBACKTYPE_sysenter_deprecated: 3,
  CALLBACKTYPE_nmi: 4,
  CALLBACKTYPE_sysenter: 5,
  CALLBACKTYPE_syscall32: 7,
} as const;

/** Flag of a callback: events are masked when it is entered. */
export const CALLBACKF_mask_events = 1;

/** Byte offsets of `struct callback_register`; `callback_unregister` has the first field only. */
export const CALLBACK_REGISTER = {
  type: 0, // u16
  flags: 2, // u16
  address: 8, // u64
} as const;

/** Bytes of `struct callback_register`. */
export const CALLBACK_REGISTER_SIZE = 16;

/** Commands of nmi_op. */
export const XenNmi = { XENNMI_register_callback: 0, XENNMI_unregister_callback: 1 } as const;

/** Byte offsets of `struct xennmi_callback`. */
export const XENNMI_CALLBACK = {
  handler_address: 0, // u64
  pad: 8, // u64
} as const;
