// A guest image, ready for the domain builder: unpacked, its self-description read, defaults filled in and
// every claim checked. Called by the lifecycle code with the bytes of the file an operator named; this is
// where a defect gets the file's name and becomes a VmmError.
// Rules for defaults: how Xen's own loader treats the same images (Xen 4.17, tools/libs/guest/xg_dom_elfloader.c).
import { isBzImage, unpackBzImage } from './bzimage.ts';
import { freeBytes, MAX_IMAGE_BYTES, unpackWholeFile } from './decompressor.ts';
import type { Decompressor } from './decompressor.ts';
import { isElf, PT, readElf, SHT } from './elf64.ts';
import type { ElfFile } from './elf64.ts';
import { FormatError, nameFormatError } from './format-error.ts';
import { readXenGuestSection, readXenNotes } from './guest-description.ts';
import type { GuestDescription } from './guest-description.ts';

/** A piece of the image in guest memory. */
export interface ImageSegment {
  /** Guest address of its first byte: the pfn times 4096 plus an offset. Need not be page aligned. */
  readonly start: number;
  /** Bytes it takes in memory; those behind the data are zero. */
  readonly sizeBytes: number;
  /** Its data; a view of the unpacked image. */
  readonly data: Uint8Array;
}

/** A checked PV guest image. Virtual addresses are canonical 64-bit values. */
export interface GuestImage {
  /** As the operator called it; for messages. */
  readonly name: string;
  readonly guestOs: string;
  readonly guestVersion: string;
  readonly loader: string;
  /** Address of the first instruction, inside the image. */
  readonly entry: bigint;
  /** Where guest address 0 is mapped; page aligned. */
  readonly virtBase: bigint;
  /** Where the guest wants the p2m; page aligned. Undefined: inside the bootstrap mapping. */
  readonly initP2m: bigint | undefined;
  /** Page to fill with hypercall stubs; page aligned and inside the image. */
  readonly hypercallPage: bigint | undefined;
  /** The guest takes its module by pfn; otherwise it has to be mapped. */
  readonly modStartIsPfn: boolean;
  /** Lowest address the hypervisor may use, where the image says so. */
  readonly hvStartLow: bigint | undefined;
  /** The guest understands that a suspend was cancelled. */
  readonly suspendCancel: boolean;
  /** The guest would like its symbol table behind it. We do not do that; it costs it its own symbols only. */
  readonly bsdSymtab: boolean;
  readonly features: readonly string[];
  readonly requiredFeatures: readonly string[];
  /** In ascending order, not overlapping. */
  readonly segments: readonly ImageSegment[];
  /** Guest address of the first byte of the image, and of the first byte behind it. */
  readonly start: number;
  readonly end: number;
  /** Gives the image's memory back; `segments` must not be used afterwards. */
  release(): void;
}

const PAGE = 4096n;
/** Guest addresses of an image lie below this; real ones are below 1 GiB. */
const MAX_GUEST_ADDRESS = 1n << 36n;
/** End of L4 slots 256 to 271, which are the hypervisor's and begin with the upper half. */
const HYPERVISOR_LAST = 0xffff87ffffffffffn;

/** Features that an image may require: those that a plain PV domain has. */
const PV_FEATURES: readonly string[] = [
  'writable_page_tables',
  'writable_descriptor_tables',
  'pae_pgdir_above_4gb',
  'mmu_pt_update_preserve_ad',
  'gnttab_map_avail_bits',
];

/**
 * Unpacks and checks a guest image.
 * @param name - for messages
 * @param file - the file's bytes, which this function takes over: it frees them when they are no longer needed
 * @returns rejects with VmmError, whose code is a FormatCode
 */
export async function loadGuestImage(
  name: string,
  file: Uint8Array<ArrayBuffer>,
  decompressor: Decompressor,
): Promise<GuestImage> {
  try {
    return readGuestImage(name, await unpackKernel(file, decompressor));
  } catch (error) {
    throw nameFormatError(name, error);
  }
}

/**
 * Unpacks a kernel to its ELF file.
 * @param file - bzImage or ELF, gzip-compressed or not; freed when the result is another buffer
 * @returns rejects with FormatError
 */
export async function unpackKernel(
  file: Uint8Array<ArrayBuffer>,
  decompressor: Decompressor,
): Promise<Uint8Array<ArrayBuffer>> {
  if (file.length === 0) throw new FormatError('IMAGE_TRUNCATED', 'it is empty');
  let bytes = file;
  const whole = await unpackWholeFile(bytes, decompressor, MAX_IMAGE_BYTES);
  if (whole !== undefined) {
    if (whole.usedBytes < bytes.length) throw new FormatError('IMAGE_CORRUPT', 'data follows its gzip stream');
    freeBytes(bytes);
    bytes = whole.data;
  }
  if (isElf(bytes)) return bytes;
  if (isArm64Image(bytes)) throw new FormatError('IMAGE_ARCH', 'it is a Linux kernel for arm64');
  if (!isBzImage(bytes)) {
    throw new FormatError('IMAGE_FORMAT', 'it is neither a Linux bzImage nor an ELF file');
  }
  const elf = await unpackBzImage(bytes, decompressor);
  freeBytes(bytes);
  return elf;
}

/** Source: Linux Documentation/arch/arm64/booting.rst. */
function isArm64Image(file: Uint8Array): boolean {
  return String.fromCodePoint(...file.subarray(0x38, 0x3c)) === 'ARMd';
}

/** Reads and checks an unpacked image; throws FormatError. */
export function readGuestImage(name: string, bytes: Uint8Array<ArrayBuffer>): GuestImage {
  const elf = readElf(bytes);
  const description = describe(elf);
  refuseOtherKinds(description);
  const virtBase = description.virtBase ?? 0n;
  if (virtBase % PAGE !== 0n) throw new FormatError('IMAGE_CORRUPT', 'its virtual base is not page aligned');
  const segments = placeSegments(elf, description.paddrOffset ?? 0n);
  const first = segments[0];
  const last = segments.at(-1);
  if (first === undefined || last === undefined) throw new FormatError('IMAGE_CORRUPT', 'it has nothing to load');
  const start = first.start;
  const end = last.start + last.sizeBytes;
  const entry = description.entry ?? elf.entry;
  const image: GuestImage = {
    name,
    guestOs: description.guestOs ?? 'unknown',
    guestVersion: description.guestVersion ?? '',
    loader: description.loader ?? '',
    entry,
    virtBase,
    initP2m: description.initP2m,
    hypercallPage: description.hypercallPage,
    modStartIsPfn: description.modStartIsPfn ?? false,
    hvStartLow: description.hvStartLow,
    suspendCancel: description.suspendCancel ?? false,
    bsdSymtab: description.bsdSymtab ?? false,
    features: [...new Set([...(description.features ?? []), ...(description.supportedFeatures ?? [])])],
    requiredFeatures: description.requiredFeatures ?? [],
    segments,
    start,
    end,
    release: () => freeBytes(bytes),
  };
  checkAddresses(image);
  return image;
}

/** Collects what the image says: notes in segments, else notes in sections, else the string section. */
function describe(elf: ElfFile): GuestDescription {
  const description: GuestDescription = {};
  let found = 0;
  for (const segment of elf.segments) {
    if (segment.type === PT.NOTE) found += readXenNotes(segment.data, segment.align, description);
  }
  if (found > 0) return description;
  const sections = elf.sections();
  for (const section of sections) {
    if (section.type === SHT.NOTE) found += readXenNotes(section.data, 4n, description);
  }
  if (found > 0) return description;
  const legacy = sections.find((section) => section.name === '__xen_guest');
  if (legacy === undefined) {
    throw new FormatError('IMAGE_NOT_PV', 'it has no Xen notes, so it is no Xen guest');
  }
  readXenGuestSection(legacy.data, description);
  // Unlike the notes, the old form takes p_paddr to be virtual unless it says otherwise.
  description.paddrOffset ??= description.virtBase ?? 0n;
  return description;
}

function refuseOtherKinds(description: GuestDescription): void {
  if (description.pvhEntry !== undefined && description.entry === undefined) {
    throw new FormatError('IMAGE_PVH', 'it is a PVH guest only, and PVH is not supported');
  }
  const version = description.xenVersion;
  if (version !== undefined && !version.startsWith('xen-3.')) {
    throw new FormatError('IMAGE_NOT_PV', `it is made for the interface "${version}", not "xen-3.0"`);
  }
  const loader = description.loader;
  if (loader !== undefined && loader !== '' && loader !== 'generic') {
    throw new FormatError('IMAGE_NOT_PV', `it wants the loader "${loader}", not "generic"`);
  }
  for (const feature of description.requiredFeatures ?? []) {
    if (PV_FEATURES.includes(feature)) continue;
    throw new FormatError('IMAGE_NOT_PV', `it requires "${feature}", which a PV domain does not have`);
  }
}

/** Places the load segments by their physical address, byte exact. */
function placeSegments(elf: ElfFile, paddrOffset: bigint): readonly ImageSegment[] {
  const segments: ImageSegment[] = [];
  for (const segment of elf.segments) {
    if (segment.type !== PT.LOAD || segment.memsz === 0n) continue;
    const start = BigInt.asUintN(64, segment.paddr - paddrOffset);
    if (start + segment.memsz > MAX_GUEST_ADDRESS) {
      throw new FormatError('IMAGE_CORRUPT', `it wants to be loaded at 0x${start.toString(16)}, which is no memory`);
    }
    segments.push({ start: Number(start), sizeBytes: Number(segment.memsz), data: segment.data.bytes });
  }
  segments.sort((a, b) => a.start - b.start);
  segments.reduce((end, segment) => {
    if (segment.start < end) throw new FormatError('IMAGE_CORRUPT', 'two of its segments overlap');
    return segment.start + segment.sizeBytes;
  }, 0);
  return segments;
}

function checkAddresses(image: GuestImage): void {
  const from = image.virtBase + BigInt(image.start);
  const to = image.virtBase + BigInt(image.end);
  if (!isGuestRange(image.virtBase, to)) {
    throw new FormatError('IMAGE_CORRUPT', `its virtual base ${hex(image.virtBase)} leaves it no room`);
  }
  if (image.entry < from || image.entry >= to) {
    throw new FormatError('IMAGE_CORRUPT', `its entry ${hex(image.entry)} lies outside of it`);
  }
  const page = image.hypercallPage;
  if (page !== undefined && (page % PAGE !== 0n || page < from - (from % PAGE) || page >= to)) {
    throw new FormatError('IMAGE_CORRUPT', `its hypercall page ${hex(page)} lies outside of it`);
  }
  const p2m = image.initP2m;
  if (p2m !== undefined && (p2m % PAGE !== 0n || !isGuestRange(p2m, p2m + PAGE))) {
    throw new FormatError('IMAGE_CORRUPT', `it wants its p2m at ${hex(p2m)}, which is not possible`);
  }
}

/**
 * Whether a guest may have mappings in all of [from, to): canonical, on one side of the hole, and not in
 * the hypervisor's slots.
 */
export function isGuestRange(from: bigint, to: bigint): boolean {
  if (from < 0n || to <= from || to > 1n << 64n) return false;
  if (to <= 1n << 47n) return true;
  return from > HYPERVISOR_LAST;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
