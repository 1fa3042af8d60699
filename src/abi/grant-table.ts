// Grant table, version 1. Source: Xen public/grant_table.h.

/** Commands of grant_table_op. */
export const GnttabOp = {
  GNTTABOP_map_grant_ref: 0,
  GNTTABOP_unmap_grant_ref: 1,
  GNTTABOP_setup_table: 2,
  GNTTABOP_dump_table: 3,
  GNTTABOP_transfer: 4,
  GNTTABOP_copy: 5,
  GNTTABOP_query_size: 6,
  GNTTABOP_unmap_and_replace: 7,
  GNTTABOP_set_version: 8,
  GNTTABOP_get_status_frames: 9,
  GNTTABOP_get_version: 10,
  GNTTABOP_swap_grant_ref: 11,
  GNTTABOP_cache_flush: 12,
} as const;

/** Values of the status fields. */
export const GntStatus = {
  GNTST_okay: 0,
  GNTST_general_error: -1,
  GNTST_bad_domain: -2,
  GNTST_bad_gntref: -3,
  GNTST_bad_handle: -4,
  GNTST_bad_virt_addr: -5,
  GNTST_bad_dev_addr: -6,
  GNTST_no_device_space: -7,
  GNTST_permission_denied: -8,
  GNTST_bad_page: -9,
  GNTST_bad_copy_arg: -10,
  GNTST_address_too_big: -11,
  GNTST_eagain: -12,
  GNTST_no_space: -13,
} as const;

/** Bits of `grant_entry_v1.flags`. */
export const Gtf = {
  GTF_invalid: 0,
  GTF_permit_access: 1,
  GTF_accept_transfer: 2,
  GTF_transitive: 3,
  GTF_type_mask: 3,
  GTF_readonly: 1 << 2,
  GTF_reading: 1 << 3,
  GTF_writing: 1 << 4,
  GTF_sub_page: 1 << 8,
} as const;

/** Byte offsets of `struct grant_entry_v1`. */
export const GRANT_ENTRY_V1 = {
  flags: 0, // u16
  domid: 2, // u16
  frame: 4, // u32, mfn
} as const;

/** Bytes of `struct grant_entry_v1`. */
export const GRANT_ENTRY_V1_SIZE = 8;

/** Entries at the start of a table that the toolstack fills. */
export const GnttabReserved = { GNTTAB_RESERVED_CONSOLE: 0, GNTTAB_RESERVED_XENSTORE: 1 } as const;

/** Flags of a mapping. */
export const GntMap = {
  GNTMAP_device_map: 1 << 0,
  GNTMAP_host_map: 1 << 1,
  GNTMAP_readonly: 1 << 2,
  GNTMAP_application_map: 1 << 3,
  GNTMAP_contains_pte: 1 << 4,
  GNTMAP_guest_avail_mask: 0xffff0000,
} as const;

/** Flags of a copy: which side is named by a grant reference and not by a frame. */
export const GntCopy = { GNTCOPY_source_gref: 1, GNTCOPY_dest_gref: 2 } as const;

/** Byte offsets of `struct gnttab_map_grant_ref`. */
export const GNTTAB_MAP_GRANT_REF = {
  host_addr: 0, // u64
  flags: 8, // u32
  ref: 12, // u32
  dom: 16, // u16
  status: 18, // s16, out
  handle: 20, // u32, out
  dev_bus_addr: 24, // u64, out
} as const;

/** Bytes of `struct gnttab_map_grant_ref`. */
export const GNTTAB_MAP_GRANT_REF_SIZE = 32;

/** Byte offsets of `struct gnttab_unmap_grant_ref`. */
export const GNTTAB_UNMAP_GRANT_REF = {
  host_addr: 0, // u64
  dev_bus_addr: 8, // u64
  handle: 16, // u32
  status: 20, // s16, out
} as const;

/** Bytes of `struct gnttab_unmap_grant_ref`. */
export const GNTTAB_UNMAP_GRANT_REF_SIZE = 24;

/** Byte offsets of `struct gnttab_unmap_and_replace`. */
export const GNTTAB_UNMAP_AND_REPLACE = {
  host_addr: 0, // u64
  new_addr: 8, // u64
  handle: 16, // u32
  status: 20, // s16, out
} as const;

/** Bytes of `struct gnttab_unmap_and_replace`. */
export const GNTTAB_UNMAP_AND_REPLACE_SIZE = 24;

/** Byte offsets of `struct gnttab_setup_table`. */
export const GNTTAB_SETUP_TABLE = {
  dom: 0, // u16
  nr_frames: 4, // u32
  status: 8, // s16, out
  frame_list: 16, // u64, address of u64[nr_frames], out
} as const;

/** Bytes of `struct gnttab_setup_table`. */
export const GNTTAB_SETUP_TABLE_SIZE = 24;

/** Byte offsets of `struct gnttab_transfer`. */
export const GNTTAB_TRANSFER = {
  mfn: 0 /* u64 */,
  domid: 8 /* u16 */,
  ref: 12 /* u32 */,
  status: 16 /* s16, out */,
} as const;

/** Bytes of `struct gnttab_transfer`. */
export const GNTTAB_TRANSFER_SIZE = 24;

/** Byte offsets of `struct gnttab_copy`. */
export const GNTTAB_COPY = {
  source_u: 0, // u64: u32 grant reference or u64 frame
  source_domid: 8, // u16
  source_offset: 10, // u16
  dest_u: 16, // u64: u32 grant reference or u64 frame
  dest_domid: 24, // u16
  dest_offset: 26, // u16
  len: 32, // u16
  flags: 34, // u16
  status: 36, // s16, out
} as const;

/** Bytes of `struct gnttab_copy`. */
export const GNTTAB_COPY_SIZE = 40;

/** Byte offsets of `struct gnttab_query_size`. */
export const GNTTAB_QUERY_SIZE = {
  dom: 0, // u16
  nr_frames: 4, // u32, out
  max_nr_frames: 8, // u32, out
  status: 12, // s16, out
} as const;

/** Bytes of `struct gnttab_query_size`. */
export const GNTTAB_QUERY_SIZE_SIZE = 16;

/** Byte offset of the version in `gnttab_set_version`, in and out. */
export const GNTTAB_SET_VERSION = { version: 0 /* u32 */ } as const;

/** Byte offsets of `struct gnttab_get_version`. */
export const GNTTAB_GET_VERSION = { dom: 0 /* u16 */, version: 4 /* u32, out */ } as const;

/** Byte offsets of `struct gnttab_swap_grant_ref`. */
export const GNTTAB_SWAP_GRANT_REF = { ref_a: 0 /* u32 */, ref_b: 4 /* u32 */, status: 8 /* s16, out */ } as const;

/** Bytes of `struct gnttab_swap_grant_ref`. */
export const GNTTAB_SWAP_GRANT_REF_SIZE = 12;

/** Byte offsets of `struct gnttab_cache_flush`. */
export const GNTTAB_CACHE_FLUSH = {
  a: 0, // u64: machine address or u32 grant reference
  offset: 8, // u16
  length: 10, // u16
  op: 12, // u32
} as const;

/** Bytes of `struct gnttab_cache_flush`. */
export const GNTTAB_CACHE_FLUSH_SIZE = 16;
