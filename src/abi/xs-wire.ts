// The store's wire protocol: message types, message header, ring page, limits and errors.
// Source: Xen public/io/xs_wire.h. Used by the store server (src/xenstore) and by whoever builds a domain.
// A message is the 16-byte header, then `len` bytes of payload; both directions look the same.

/** Message types. Source: enum xsd_sockmsg_type. 20 (XS_RESTRICT) was taken out of the interface. */
export const XS_TYPE = {
  XS_CONTROL: 0,
  XS_DIRECTORY: 1,
  XS_READ: 2,
  XS_GET_PERMS: 3,
  XS_WATCH: 4,
  XS_UNWATCH: 5,
  XS_TRANSACTION_START: 6,
  XS_TRANSACTION_END: 7,
  XS_INTRODUCE: 8,
  XS_RELEASE: 9,
  XS_GET_DOMAIN_PATH: 10,
  XS_WRITE: 11,
  XS_MKDIR: 12,
  XS_RM: 13,
  XS_SET_PERMS: 14,
  XS_WATCH_EVENT: 15,
  XS_ERROR: 16,
  XS_IS_DOMAIN_INTRODUCED: 17,
  XS_RESUME: 18,
  XS_SET_TARGET: 19,
  XS_RESET_WATCHES: 21,
  XS_DIRECTORY_PART: 22,
} as const;

/** A known message type. */
export type XsType = (typeof XS_TYPE)[keyof typeof XS_TYPE];

/** Byte offsets of `struct xsd_sockmsg`; every field is a u32. */
export const XSD_SOCKMSG = {
  type: 0, // XS_TYPE
  req_id: 4, // chosen by the client, echoed in the reply; 0 in a watch event
  tx_id: 8, // transaction, 0 if none
  len: 12, // bytes of payload that follow
} as const;

/** Bytes of `struct xsd_sockmsg`. */
export const XSD_SOCKMSG_SIZE = 16;

/** Most bytes of payload in one message; a longer one ends the connection. */
export const XENSTORE_PAYLOAD_MAX = 4096;

/** Most bytes of an absolute path. */
export const XENSTORE_ABS_PATH_MAX = 3072;

/** Most bytes of a path relative to the domain's own directory. */
export const XENSTORE_REL_PATH_MAX = 2048;

/** Bytes of each of the two rings. Indices run freely as u32 and are masked with one less. */
export const XENSTORE_RING_SIZE = 1024;

/** Byte offsets of `struct xenstore_domain_interface`, the page shared between a domain and the store. */
export const XENSTORE_DOMAIN_INTERFACE = {
  req: 0, // char[XENSTORE_RING_SIZE], domain to store
  rsp: 1024, // char[XENSTORE_RING_SIZE], store to domain
  req_cons: 2048, // u32, written by the store
  req_prod: 2052, // u32, written by the domain
  rsp_cons: 2056, // u32, written by the domain
  rsp_prod: 2060, // u32, written by the store
  server_features: 2064, // u32, XENSTORE_SERVER_FEATURE bits
  connection: 2068, // u32, XENSTORE_CONNECTION
  error: 2072, // u32, XENSTORE_ERROR
} as const;

/** Bits of `server_features`. */
export const XENSTORE_SERVER_FEATURE = {
  RECONNECTION: 1, // a domain may ask for a fresh connection through `connection`
  ERROR: 2, // the page has the `error` field
} as const;

/** Values of `connection`. */
export const XENSTORE_CONNECTION = {
  CONNECTED: 0, // the steady state
  RECONNECT: 1, // reconnection under way
} as const;

/** Values of `error`: why the store does not listen to this domain any more. */
export const XENSTORE_ERROR = {
  NONE: 0,
  COMM: 1, // trouble in the transport
  RINGIDX: 2, // an index that cannot be
  PROTO: 3, // a payload that is too long
} as const;

/** A value of the `error` field. */
export type XenstoreError = (typeof XENSTORE_ERROR)[keyof typeof XENSTORE_ERROR];

/** The errors that can travel in an XS_ERROR message, by name. Source: xsd_errors[]. */
export const XSD_ERRORS = [
  'EINVAL',
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EIO',
  'ENOTEMPTY',
  'ENOSYS',
  'EROFS',
  'EBUSY',
  'EAGAIN',
  'EISCONN',
  'E2BIG',
  'EPERM',
] as const;

/** Name of an error of the store. */
export type XsdError = (typeof XSD_ERRORS)[number];
