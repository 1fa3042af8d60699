// The console's ring page. Source: Xen public/io/console.h, struct xencons_interface.
// Used by the console backend. Indices run freely as u32 and are masked with the ring's size less one.

/** Bytes of the ring from domain 0 to the guest (its input). */
export const XENCONS_IN_SIZE = 1024;

/** Bytes of the ring from the guest to domain 0 (its output). */
export const XENCONS_OUT_SIZE = 2048;

/** Byte offsets of `struct xencons_interface`. */
export const XENCONS_INTERFACE = {
  in: 0, // char[XENCONS_IN_SIZE]
  out: 1024, // char[XENCONS_OUT_SIZE]
  in_cons: 3072, // u32, written by the guest
  in_prod: 3076, // u32, written by domain 0
  out_cons: 3080, // u32, written by domain 0
  out_prod: 3084, // u32, written by the guest
} as const;
