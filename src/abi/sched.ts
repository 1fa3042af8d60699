// Scheduling operations and shutdown reasons. Source: Xen public/sched.h.

/** Commands of sched_op. */
export const SchedOp = {
  SCHEDOP_yield: 0,
  SCHEDOP_block: 1,
  SCHEDOP_shutdown: 2,
  SCHEDOP_poll: 3,
  SCHEDOP_remote_shutdown: 4,
  SCHEDOP_shutdown_code: 5,
  SCHEDOP_watchdog: 6,
  SCHEDOP_pin_override: 7,
} as const;

/** Reasons of SCHEDOP_shutdown. */
export const Shutdown = {
  SHUTDOWN_poweroff: 0,
  SHUTDOWN_reboot: 1,
  SHUTDOWN_suspend: 2,
  SHUTDOWN_crash: 3,
  SHUTDOWN_watchdog: 4,
  SHUTDOWN_soft_reset: 5,
} as const;

/** Byte offsets of `struct sched_shutdown`. */
export const SCHED_SHUTDOWN = { reason: 0 /* u32 */ } as const;

/** Byte offsets of `struct sched_poll`. */
export const SCHED_POLL = {
  ports: 0, // u64, address of u32[nr_ports]
  nr_ports: 8, // u32
  timeout: 16, // u64, absolute system time in ns; 0 means none
} as const;

/** Bytes of `struct sched_poll`. */
export const SCHED_POLL_SIZE = 24;

/** Byte offsets of `struct sched_watchdog`. */
export const SCHED_WATCHDOG = { id: 0 /* u32 */, timeout: 4 /* u32, seconds */ } as const;
