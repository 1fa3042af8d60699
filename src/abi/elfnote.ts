// ELF notes with the name "Xen", by which a guest image describes itself to a loader, and the names of the
// features that two of them list. Source: Xen public/elfnote.h and public/features.h.

/** Note types; each line says what the note's value is. */
export const XEN_ELFNOTE = {
  INFO: 0,
  ENTRY: 1, // virtual address of the first instruction
  HYPERCALL_PAGE: 2, // virtual address of a page to fill with hypercall stubs
  VIRT_BASE: 3, // virtual address at which guest address 0 is mapped
  PADDR_OFFSET: 4, // subtracted from p_paddr to get the guest address
  XEN_VERSION: 5, // "xen-3.0"
  GUEST_OS: 6, // free text
  GUEST_VERSION: 7, // free text
  LOADER: 8, // "generic"
  PAE_MODE: 9, // 32-bit guests only
  FEATURES: 10, // names separated by '|', '!' before a required one
  BSD_SYMTAB: 11, // "yes": wants its symbol table behind the image
  HV_START_LOW: 12, // lowest address the hypervisor may use
  L1_MFN_VALID: 13, // pairs of mask and value
  SUSPEND_CANCEL: 14, // nonzero: understands a cancelled suspend
  INIT_P2M: 15, // virtual address for the p2m, outside the bootstrap mapping
  MOD_START_PFN: 16, // nonzero: takes the module by pfn, unmapped
  SUPPORTED_FEATURES: 17, // bit mask of feature numbers
  PHYS32_ENTRY: 18, // entry of a PVH guest
  PHYS32_RELOC: 19, // how a PVH guest may be moved
} as const;

/** Feature names by number. Source: Xen public/features.h, XENFEAT_*. */
export const XENFEAT = {
  writable_page_tables: 0,
  writable_descriptor_tables: 1,
  auto_translated_physmap: 2,
  supervisor_mode_kernel: 3,
  pae_pgdir_above_4gb: 4,
  mmu_pt_update_preserve_ad: 5,
  highmem_assist: 6,
  gnttab_map_avail_bits: 7,
  hvm_callback_vector: 8,
  hvm_safe_pvclock: 9,
  hvm_pirqs: 10,
  dom0: 11,
  grant_map_identity: 12,
  memory_op_vnode_supported: 13,
  ARM_SMCCC_supported: 14,
  linux_rsdp_unrestricted: 15,
  not_direct_mapped: 16,
  direct_mapped: 17,
} as const;
