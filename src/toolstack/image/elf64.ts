// ELF64 for x86-64, as far as a loader needs it: program headers and, for images without notes among them,
// sections. Knows nothing of Xen; `xen-notes.ts` reads what it finds.
// Source: System V ABI, chapter 4 and 5 ("Object Files", "Program Loading").
import { ByteView } from './byte-view.ts';
import { FormatError } from './format-error.ts';

const MAGIC = 0x464c457f;
const Ident = { CLASS: 4, DATA: 5 } as const;
const CLASS_64 = 2;
const DATA_LITTLE_ENDIAN = 1;
const EM_X86_64 = 62;
/** Other machines that Linux runs on, for messages. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  21: 'POWER',
  22: 'S/390',
  40: 'Arm',
  183: 'arm64',
  243: 'RISC-V',
};
const Type = { EXEC: 2, DYN: 3 } as const;

/** Offsets in the ELF header. */
const Ehdr = {
  TYPE: 16, // u16
  MACHINE: 18, // u16
  ENTRY: 24, // u64
  PHOFF: 32, // u64
  SHOFF: 40, // u64
  PHENTSIZE: 54, // u16
  PHNUM: 56, // u16
  SHENTSIZE: 58, // u16
  SHNUM: 60, // u16
  SHSTRNDX: 62, // u16
} as const;

/** Offsets in a program header, and its size. */
const Phdr = {
  TYPE: 0, // u32
  OFFSET: 8, // u64
  PADDR: 24, // u64
  FILESZ: 32, // u64
  MEMSZ: 40, // u64
  ALIGN: 48, // u64
  SIZE: 56,
} as const;

/** Offsets in a section header, and its size. */
const Shdr = {
  NAME: 0, // u32
  TYPE: 4, // u32
  OFFSET: 24, // u64
  SIZE_BYTES: 32, // u64
  SIZE: 64,
} as const;

const SHT_NOBITS = 8;

/** Program header types that matter to a loader. */
export const PT = { LOAD: 1, NOTE: 4 } as const;

/** Section types that matter to a loader. */
export const SHT = { NOTE: 7 } as const;

/** One program header. */
export interface ElfSegment {
  readonly type: number;
  readonly paddr: bigint;
  /** Size in memory; never less than the data. */
  readonly memsz: bigint;
  readonly align: bigint;
  /** What the file has of it; a view. */
  readonly data: ByteView;
}

/** One section with data. */
export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly data: ByteView;
}

/** An ELF file whose header has been checked. */
export interface ElfFile {
  /** The native entry, which a PV guest's notes usually replace. */
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  /** Reads the sections; done only when the segments hold no notes. */
  sections(): readonly ElfSection[];
}

/** Whether a file starts as an ELF file does. */
export function isElf(file: Uint8Array): boolean {
  return file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;
}

/** Checks the header and reads the program headers; throws FormatError. */
export function readElf(file: Uint8Array): ElfFile {
  const view = new ByteView(file, 'ELF file');
  if (view.u32(0) !== MAGIC) throw new FormatError('IMAGE_FORMAT', 'it is no ELF file');
  if (view.u8(Ident.CLASS) !== CLASS_64) throw new FormatError('IMAGE_ARCH', 'it is a 32-bit ELF file');
  if (view.u8(Ident.DATA) !== DATA_LITTLE_ENDIAN) throw new FormatError('IMAGE_ARCH', 'it is a big-endian ELF file');
  const machine = view.u16(Ehdr.MACHINE);
  if (machine !== EM_X86_64) {
    throw new FormatError('IMAGE_ARCH', `it is an ELF file for ${MACHINES[machine] ?? `machine number ${machine}`}`);
  }
  const type = view.u16(Ehdr.TYPE);
  if (type !== Type.EXEC && type !== Type.DYN)
    throw new FormatError('IMAGE_FORMAT', 'it is an ELF file but no program');
  const entry = view.u64(Ehdr.ENTRY);
  return { entry, segments: readSegments(view), sections: () => readSections(view) };
}

function readSegments(view: ByteView): readonly ElfSegment[] {
  const count = view.u16(Ehdr.PHNUM);
  if (count > 0 && view.u16(Ehdr.PHENTSIZE) !== Phdr.SIZE) {
    throw new FormatError('IMAGE_CORRUPT', 'its program headers have a wrong size');
  }
  const table = view.part(view.u64(Ehdr.PHOFF), count * Phdr.SIZE, 'program header table');
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const header = table.part(i * Phdr.SIZE, Phdr.SIZE, 'program header');
    const type = header.u32(Phdr.TYPE);
    if (type !== PT.LOAD && type !== PT.NOTE) continue;
    const memsz = header.u64(Phdr.MEMSZ);
    const data = view.part(header.u64(Phdr.OFFSET), header.u64(Phdr.FILESZ), `segment ${i}`);
    // A note segment need not be loaded, so only a load segment has to hold its data.
    if (type === PT.LOAD && memsz < BigInt(data.length)) {
      throw new FormatError('IMAGE_CORRUPT', `segment ${i} has more data than memory`);
    }
    segments.push({ type, paddr: header.u64(Phdr.PADDR), memsz, align: header.u64(Phdr.ALIGN), data });
  }
  return segments;
}

function readSections(view: ByteView): readonly ElfSection[] {
  const count = view.u16(Ehdr.SHNUM);
  if (count === 0) return [];
  if (view.u16(Ehdr.SHENTSIZE) !== Shdr.SIZE) {
    throw new FormatError('IMAGE_CORRUPT', 'its section headers have a wrong size');
  }
  const table = view.part(view.u64(Ehdr.SHOFF), count * Shdr.SIZE, 'section header table');
  const namesIndex = view.u16(Ehdr.SHSTRNDX);
  const names = namesIndex < count ? sectionData(view, table, namesIndex) : undefined;
  const sections: ElfSection[] = [];
  for (let i = 0; i < count; i++) {
    const header = table.part(i * Shdr.SIZE, Shdr.SIZE, 'section header');
    const type = header.u32(Shdr.TYPE);
    if (type === SHT_NOBITS) continue;
    const nameAt = header.u32(Shdr.NAME);
    const name = names !== undefined && nameAt < names.length ? names.text(nameAt) : '';
    sections.push({ name, type, data: sectionData(view, table, i) });
  }
  return sections;
}

function sectionData(view: ByteView, table: ByteView, index: number): ByteView {
  const header = table.part(index * Shdr.SIZE, Shdr.SIZE, 'section header');
  return view.part(header.u64(Shdr.OFFSET), header.u64(Shdr.SIZE_BYTES), `section ${index}`);
}
