// Event channel operations and their argument structures. Source: Xen public/event_channel.h.

/** Commands of event_channel_op. */
export const EvtchnOp = {
  EVTCHNOP_bind_interdomain: 0,
  EVTCHNOP_bind_virq: 1,
  EVTCHNOP_bind_pirq: 2,
  EVTCHNOP_close: 3,
  EVTCHNOP_send: 4,
  EVTCHNOP_status: 5,
  EVTCHNOP_alloc_unbound: 6,
  EVTCHNOP_bind_ipi: 7,
  EVTCHNOP_bind_vcpu: 8,
  EVTCHNOP_unmask: 9,
  EVTCHNOP_reset: 10,
  EVTCHNOP_init_control: 11,
  EVTCHNOP_expand_array: 12,
  EVTCHNOP_set_priority: 13,
  EVTCHNOP_reset_cont: 14,
} as const;

/** Values of `evtchn_status.status`. */
export const EvtchnStat = {
  EVTCHNSTAT_closed: 0,
  EVTCHNSTAT_unbound: 1,
  EVTCHNSTAT_interdomain: 2,
  EVTCHNSTAT_pirq: 3,
  EVTCHNSTAT_virq: 4,
  EVTCHNSTAT_ipi: 5,
} as const;

/** Byte offsets of `struct evtchn_alloc_unbound`. */
export const EVTCHN_ALLOC_UNBOUND = { dom: 0 /* u16 */, remote_dom: 2 /* u16 */, port: 4 /* u32, out */ } as const;

/** Byte offsets of `struct evtchn_bind_interdomain`. */
export const EVTCHN_BIND_INTERDOMAIN = {
  remote_dom: 0, // u16
  remote_port: 4, // u32
  local_port: 8, // u32, out
} as const;

/** Byte offsets of `struct evtchn_bind_virq`. */
export const EVTCHN_BIND_VIRQ = { virq: 0 /* u32 */, vcpu: 4 /* u32 */, port: 8 /* u32, out */ } as const;

/** Byte offsets of `struct evtchn_bind_ipi`. */
export const EVTCHN_BIND_IPI = { vcpu: 0 /* u32 */, port: 4 /* u32, out */ } as const;

/** Byte offsets of `struct evtchn_bind_vcpu`. */
export const EVTCHN_BIND_VCPU = { port: 0 /* u32 */, vcpu: 4 /* u32 */ } as const;

/** Byte offset of the port in `evtchn_close`, `evtchn_send` and `evtchn_unmask`, and of the domain in `evtchn_reset`. */
export const EVTCHN_PORT = { port: 0 /* u32 */ } as const;

/** Byte offsets of `struct evtchn_status`. */
export const EVTCHN_STATUS = {
  dom: 0, // u16
  port: 4, // u32
  status: 8, // u32, out
  vcpu: 12, // u32, out
  u: 16, // u32 by state: unbound.dom u16; interdomain.dom u16, .port u32 at +4; virq; out
} as const;

/** Bytes of `struct evtchn_status`. */
export const EVTCHN_STATUS_SIZE = 24;
