// Memory reservation calls. Source: Xen public/memory.h.

/** Commands of memory_op, in its low 6 bits. */
export const XenMem = {
  XENMEM_increase_reservation: 0,
  XENMEM_decrease_reservation: 1,
  XENMEM_maximum_ram_page: 2,
  XENMEM_current_reservation: 3,
  XENMEM_maximum_reservation: 4,
  XENMEM_machphys_mfn_list: 5,
  XENMEM_populate_physmap: 6,
  XENMEM_add_to_physmap: 7,
  XENMEM_memory_map: 9,
  XENMEM_machine_memory_map: 10,
  XENMEM_exchange: 11,
  XENMEM_machphys_mapping: 12,
  XENMEM_set_memory_map: 13,
  XENMEM_maximum_gpfn: 14,
  XENMEM_remove_from_physmap: 15,
  XENMEM_set_pod_target: 16,
  XENMEM_get_pod_target: 17,
  XENMEM_get_sharing_freed_pages: 18,
  XENMEM_get_sharing_shared_pages: 19,
  XENMEM_paging_op: 20,
  XENMEM_access_op: 21,
  XENMEM_sharing_op: 22,
  XENMEM_add_to_physmap_batch: 23,
  XENMEM_claim_pages: 24,
  XENMEM_machphys_compat_mfn_list: 25,
  XENMEM_get_vnumainfo: 26,
  XENMEM_reserved_device_memory_map: 27,
  XENMEM_acquire_resource: 28,
} as const;

/** Bits of the memory_op command word that name the command; a continuation keeps its progress above them. */
export const MEMOP_CMD_MASK = 0x3f;

/** First bit of the progress that a continued memory_op keeps in its command word. */
export const MEMOP_EXTENT_SHIFT = 6;

/** Byte offsets of `struct xen_memory_reservation`. */
export const XEN_MEMORY_RESERVATION = {
  extent_start: 0, // u64, address of u64[nr_extents]
  nr_extents: 8, // u64
  extent_order: 16, // u32
  mem_flags: 20, // u32
  domid: 24, // u16
} as const;

/** Bytes of `struct xen_memory_reservation`. */
export const XEN_MEMORY_RESERVATION_SIZE = 32;

/** Byte offsets of `struct xen_memory_exchange`. */
export const XEN_MEMORY_EXCHANGE = {
  in: 0, // struct xen_memory_reservation
  out: 32, // struct xen_memory_reservation
  nr_exchanged: 64, // u64
} as const;

/** Bytes of `struct xen_memory_exchange`. */
export const XEN_MEMORY_EXCHANGE_SIZE = 72;

/** Byte offsets of `struct xen_machphys_mapping`. */
export const XEN_MACHPHYS_MAPPING = {
  v_start: 0, // u64
  v_end: 8, // u64
  max_mfn: 16, // u64
} as const;

/** Byte offsets of `struct xen_machphys_mfn_list`. */
export const XEN_MACHPHYS_MFN_LIST = {
  max_extents: 0, // u32
  extent_start: 8, // u64, address
  nr_extents: 16, // u32, out
} as const;

/** Byte offsets of `struct xen_memory_map`. */
export const XEN_MEMORY_MAP = {
  nr_entries: 0, // u32, in: room, out: filled
  buffer: 8, // u64, address of e820 entries
} as const;

/** Byte offsets of an e820 entry, packed. */
export const E820_ENTRY = { addr: 0 /* u64 */, size: 8 /* u64 */, type: 16 /* u32 */ } as const;

/** Bytes of an e820 entry. */
export const E820_ENTRY_SIZE = 20;

/** Type of an e820 entry. */
export const E820_RAM = 1;
