// vCPU operations. Source: Xen public/vcpu.h.

/** Commands of vcpu_op. */
export const VcpuOp = {
  VCPUOP_initialise: 0,
  VCPUOP_up: 1,
  VCPUOP_down: 2,
  VCPUOP_is_up: 3,
  VCPUOP_get_runstate_info: 4,
  VCPUOP_register_runstate_memory_area: 5,
  VCPUOP_set_periodic_timer: 6,
  VCPUOP_stop_periodic_timer: 7,
  VCPUOP_set_singleshot_timer: 8,
  VCPUOP_stop_singleshot_timer: 9,
  VCPUOP_register_vcpu_info: 10,
  VCPUOP_send_nmi: 11,
  VCPUOP_get_physid: 12,
  VCPUOP_register_vcpu_time_memory_area: 13,
} as const;

/** What a vCPU is doing. */
export const Runstate = {
  RUNSTATE_running: 0,
  RUNSTATE_runnable: 1,
  RUNSTATE_blocked: 2,
  RUNSTATE_offline: 3,
} as const;

/** A value of `Runstate`. */
export type RunstateValue = (typeof Runstate)[keyof typeof Runstate];

/** Byte offsets of `struct vcpu_runstate_info`. */
export const VCPU_RUNSTATE_INFO = {
  state: 0, // s32
  state_entry_time: 8, // u64; bit 63 is XEN_RUNSTATE_UPDATE
  time: 16, // u64[4], ns in each state
} as const;

/** Bytes of `struct vcpu_runstate_info`. */
export const VCPU_RUNSTATE_INFO_SIZE = 48;

/** Byte offsets of `struct vcpu_set_singleshot_timer`. */
export const VCPU_SET_SINGLESHOT_TIMER = {
  timeout_abs_ns: 0, // u64
  flags: 8, // u32
} as const;

/** Bytes of `struct vcpu_set_singleshot_timer`. */
export const VCPU_SET_SINGLESHOT_TIMER_SIZE = 16;

/** Flag of a single-shot timer: fail with -ETIME when the time has passed. */
export const VCPU_SSHOTTMR_future = 1;

/** Byte offsets of `struct vcpu_register_vcpu_info`. */
export const VCPU_REGISTER_VCPU_INFO = {
  mfn: 0, // u64
  offset: 8, // u32
} as const;

/** Bytes of `struct vcpu_register_vcpu_info`. */
export const VCPU_REGISTER_VCPU_INFO_SIZE = 16;
