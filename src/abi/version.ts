// Version and build information calls. Source: Xen public/version.h.

/** Commands of xen_version. */
export const XenVer = {
  XENVER_version: 0,
  XENVER_extraversion: 1,
  XENVER_compile_info: 2,
  XENVER_capabilities: 3,
  XENVER_changeset: 4,
  XENVER_platform_parameters: 5,
  XENVER_get_features: 6,
  XENVER_pagesize: 7,
  XENVER_guest_handle: 8,
  XENVER_commandline: 9,
  XENVER_build_id: 10,
} as const;

/** Bytes of `xen_extraversion_t`. */
export const XEN_EXTRAVERSION_LEN = 16;

/** Bytes of `xen_capabilities_info_t`. */
export const XEN_CAPABILITIES_INFO_LEN = 1024;

/** Bytes of `xen_changeset_info_t`. */
export const XEN_CHANGESET_INFO_LEN = 64;

/** Byte offsets of `struct xen_compile_info`: NUL-terminated text. */
export const XEN_COMPILE_INFO = {
  compiler: 0, // char[64]
  compile_by: 64, // char[16]
  compile_domain: 80, // char[32]
  compile_date: 112, // char[32]
} as const;

/** Bytes of `struct xen_compile_info`. */
export const XEN_COMPILE_INFO_SIZE = 144;

/** Byte offsets of `struct xen_feature_info`. */
export const XEN_FEATURE_INFO = { submap_idx: 0 /* u32 */, submap: 4 /* u32, out */ } as const;
