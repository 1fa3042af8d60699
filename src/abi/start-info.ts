// The start info page: what a PV guest finds at the address in rsi when it starts. The domain builder writes
// it, nothing of ours reads it back. Source: Xen public/xen.h, struct start_info (x86-64).

/** Offsets in bytes; the type of each field stands behind it. */
export const START_INFO = {
  magic: 0, // char[32]
  nr_pages: 32, // u64
  shared_info: 40, // u64, machine address
  flags: 48, // u32, SIF_*
  store_mfn: 56, // u64
  store_evtchn: 64, // u32
  console_mfn: 72, // u64
  console_evtchn: 80, // u32
  pt_base: 88, // u64, virtual address of the L4
  nr_pt_frames: 96, // u64
  mfn_list: 104, // u64, virtual address of the p2m
  mod_start: 112, // u64, virtual address or pfn
  mod_len: 120, // u64, bytes
  cmd_line: 128, // char[1024]
  first_p2m_pfn: 1152, // u64
  nr_p2m_frames: 1160, // u64
} as const;

/** Size of the structure in bytes. */
export const START_INFO_SIZE = 1168;

/** Bytes of `cmd_line`, its terminator included. */
export const MAX_GUEST_CMDLINE = 1024;

/** `magic` of a 64-bit guest, padded with NUL. */
export const START_INFO_MAGIC = 'xen-3.0-x86_64';

/** Bits of `flags`. */
export const SIF = {
  PRIVILEGED: 1 << 0,
  INITDOMAIN: 1 << 1,
  MULTIBOOT_MOD: 1 << 2,
  MOD_START_PFN: 1 << 3,
  VIRT_P2M_4TOOLS: 1 << 4,
} as const;
