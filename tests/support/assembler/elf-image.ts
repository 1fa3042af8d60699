// Wraps an assembled kernel as an ELF64 file that describes itself to Xen by notes: one load segment and
// one note segment. The result starts under this hypervisor and under any other that takes Xen PV guests.
// Source: System V ABI, chapter 4 and 5; Xen public/elfnote.h.

import { XEN_ELFNOTE } from '../../../src/abi/index.ts';

/** What the notes say. Addresses are virtual. */
export interface ImageNotes {
  readonly entry: bigint;
  /** Where guest address 0 is mapped. */
  readonly virtBase: bigint;
  /** Page that is to be filled with hypercall stubs. */
  readonly hypercallPage?: bigint;
  /** Address for the p2m list, outside of the bootstrap mapping. */
  readonly initP2m?: bigint;
}

const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const LOAD_OFFSET = 4096;

/** Makes the file. @param image - what is loaded at `virtBase` */
export function elfImage(image: Uint8Array, notes: ImageNotes): Uint8Array<ArrayBuffer> {
  const noteBytes = noteSegment(notes);
  const noteOffset = LOAD_OFFSET + image.length;
  const file = new Uint8Array(noteOffset + noteBytes.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2 /* 64-bit */, 1 /* little-endian */, 1 /* version */]);
  view.setUint16(16, 2 /* ET_EXEC */, true);
  view.setUint16(18, 62 /* EM_X86_64 */, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, notes.entry, true);
  view.setBigUint64(32, BigInt(EHDR_SIZE), true);
  view.setUint16(52, EHDR_SIZE, true);
  view.setUint16(54, PHDR_SIZE, true);
  view.setUint16(56, 2, true);
  view.setUint16(58, 64 /* e_shentsize */, true);
  programHeader(view, 0, {
    type: 1,
    flags: 7,
    offset: LOAD_OFFSET,
    vaddr: notes.virtBase,
    size: image.length,
    align: 4096,
  });
  programHeader(view, 1, { type: 4, flags: 4, offset: noteOffset, vaddr: 0n, size: noteBytes.length, align: 4 });
  file.set(image, LOAD_OFFSET);
  file.set(noteBytes, noteOffset);
  return file;
}

interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: bigint;
  readonly size: number;
  readonly align: number;
}

/** Physical addresses start at 0: PADDR_OFFSET is 0. */
function programHeader(view: DataView, index: number, header: ProgramHeader): void {
  const at = EHDR_SIZE + index * PHDR_SIZE;
  view.setUint32(at, header.type, true);
  view.setUint32(at + 4, header.flags, true);
  view.setBigUint64(at + 8, BigInt(header.offset), true);
  view.setBigUint64(at + 16, header.vaddr, true);
  view.setBigUint64(at + 24, 0n, true);
  view.setBigUint64(at + 32, BigInt(header.size), true);
  view.setBigUint64(at + 40, BigInt(header.size), true);
  view.setBigUint64(at + 48, BigInt(header.align), true);
}

function noteSegment(notes: ImageNotes): Uint8Array {
  const bytes: number[] = [];
  const put = (type: number, value: string | bigint): void => {
    const text = typeof value === 'string' ? [...new TextEncoder().encode(value), 0] : undefined;
    const desc = text ?? [...new Uint8Array(new BigUint64Array([value as bigint]).buffer)]; // not a string, so a bigint
    const header = new Uint32Array([4, desc.length, type]);
    bytes.push(...new Uint8Array(header.buffer), ...new TextEncoder().encode('Xen\0'), ...desc);
    while (bytes.length % 4 !== 0) bytes.push(0);
  };
  put(XEN_ELFNOTE.GUEST_OS, 'zendo-test');
  put(XEN_ELFNOTE.GUEST_VERSION, '1');
  put(XEN_ELFNOTE.XEN_VERSION, 'xen-3.0');
  put(XEN_ELFNOTE.LOADER, 'generic');
  put(XEN_ELFNOTE.VIRT_BASE, notes.virtBase);
  put(XEN_ELFNOTE.PADDR_OFFSET, 0n);
  put(XEN_ELFNOTE.ENTRY, notes.entry);
  if (notes.hypercallPage !== undefined) put(XEN_ELFNOTE.HYPERCALL_PAGE, notes.hypercallPage);
  if (notes.initP2m !== undefined) put(XEN_ELFNOTE.INIT_P2M, notes.initP2m);
  return new Uint8Array(bytes);
}
