// Builds small ELF files for tests of the loader and the builder: every field can be set, so that a test can
// make each form of guest image, and each kind of damage.

/** A load segment. */
export interface TestSegment {
  readonly paddr: bigint;
  readonly data: Uint8Array;
  /** Size in memory; absent: that of the data. */
  readonly memsz?: bigint;
  readonly vaddr?: bigint;
}

/** A note: numbers become 8 bytes, strings are terminated. */
export type TestNote = readonly [type: number, value: bigint | number | string | Uint8Array];

/** What to build. */
export interface TestElf {
  readonly segments: readonly TestSegment[];
  readonly notes?: readonly TestNote[];
  /** Where the notes stand; in a program header by default. */
  readonly notesIn?: 'segment' | 'section';
  /** Text of a `__xen_guest` section. */
  readonly xenGuest?: string;
  readonly entry?: bigint;
  readonly machine?: number;
  readonly elfClass?: number;
  readonly byteOrder?: number;
  readonly type?: number;
}

const EHDR = 64;
const PHDR = 56;
const SHDR = 64;
const PT_LOAD = 1;
const PT_NOTE = 4;
const SHT_PROGBITS = 1;
const SHT_STRTAB = 3;
const SHT_NOTE = 7;

/** Builds the file. */
export function buildElf(spec: TestElf): Uint8Array<ArrayBuffer> {
  const notes = buildNotes(spec.notes ?? []);
  const notesInSegment = notes.length > 0 && spec.notesIn !== 'section';
  const sections: { name: string; type: number; data: Uint8Array }[] = [];
  if (notes.length > 0 && !notesInSegment) sections.push({ name: '.note.Xen', type: SHT_NOTE, data: notes });
  if (spec.xenGuest !== undefined) {
    sections.push({ name: '__xen_guest', type: SHT_PROGBITS, data: encode(`${spec.xenGuest}\0`) });
  }
  const names = ['', ...sections.map(({ name }) => name), '.shstrtab'];
  if (sections.length > 0) {
    sections.unshift({ name: '', type: 0, data: new Uint8Array(0) });
    sections.push({ name: '.shstrtab', type: SHT_STRTAB, data: encode(`${names.join('\0')}\0`) });
  }
  const headers = spec.segments.map(({ paddr, vaddr, data, memsz }) => ({
    type: PT_LOAD,
    paddr,
    vaddr: vaddr ?? paddr,
    data,
    memsz: memsz ?? BigInt(data.length),
  }));
  if (notesInSegment) headers.push({ type: PT_NOTE, paddr: 0n, vaddr: 0n, data: notes, memsz: 0n });

  const parts: Uint8Array[] = [];
  let at = EHDR + headers.length * PHDR + sections.length * SHDR;
  const place = (data: Uint8Array): bigint => {
    const padding = (8 - (at % 8)) % 8;
    parts.push(new Uint8Array(padding), data);
    at += padding + data.length;
    return BigInt(at - data.length);
  };
  const head = new DataView(new ArrayBuffer(at));
  writeHeader(head, spec, headers.length, sections.length);
  headers.forEach((header, i) => {
    const base = EHDR + i * PHDR;
    head.setUint32(base, header.type, true);
    head.setBigUint64(base + 8, place(header.data), true);
    head.setBigUint64(base + 16, BigInt.asUintN(64, header.vaddr), true);
    head.setBigUint64(base + 24, BigInt.asUintN(64, header.paddr), true);
    head.setBigUint64(base + 32, BigInt(header.data.length), true);
    head.setBigUint64(base + 40, header.memsz, true);
    head.setBigUint64(base + 48, 4n, true);
  });
  sections.forEach((section, i) => {
    const base = EHDR + headers.length * PHDR + i * SHDR;
    head.setUint32(
      base,
      names.slice(0, i).reduce((sum, name) => sum + name.length + 1, 0),
      true,
    );
    head.setUint32(base + 4, section.type, true);
    head.setBigUint64(base + 24, place(section.data), true);
    head.setBigUint64(base + 32, BigInt(section.data.length), true);
  });
  return Uint8Array.from(Buffer.concat([new Uint8Array(head.buffer), ...parts]));
}

function writeHeader(head: DataView, spec: TestElf, nrSegments: number, nrSections: number): void {
  head.setUint32(0, 0x464c457f, true);
  head.setUint8(4, spec.elfClass ?? 2);
  head.setUint8(5, spec.byteOrder ?? 1);
  head.setUint8(6, 1);
  head.setUint16(16, spec.type ?? 2, true);
  head.setUint16(18, spec.machine ?? 62, true);
  head.setBigUint64(24, BigInt.asUintN(64, spec.entry ?? 0n), true);
  head.setBigUint64(32, BigInt(EHDR), true);
  head.setBigUint64(40, nrSections > 0 ? BigInt(EHDR + nrSegments * PHDR) : 0n, true);
  head.setUint16(54, PHDR, true);
  head.setUint16(56, nrSegments, true);
  head.setUint16(58, SHDR, true);
  head.setUint16(60, nrSections, true);
  head.setUint16(62, Math.max(nrSections - 1, 0), true);
}

/** Writes notes with the name "Xen". */
export function buildNotes(notes: readonly TestNote[]): Uint8Array {
  const parts = notes.map(([type, value]) => {
    const desc = noteValue(value);
    const note = new Uint8Array(16 + Math.ceil(desc.length / 4) * 4);
    const view = new DataView(note.buffer);
    view.setUint32(0, 4, true);
    view.setUint32(4, desc.length, true);
    view.setUint32(8, type, true);
    note.set(encode('Xen\0'), 12);
    note.set(desc, 16);
    return note;
  });
  return Uint8Array.from(Buffer.concat(parts));
}

function noteValue(value: bigint | number | string | Uint8Array): Uint8Array {
  if (typeof value === 'string') return encode(`${value}\0`);
  if (typeof value === 'object') return value;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return bytes;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Builds a bzImage around a payload; its trailing size, if the compressor has one, is the caller's. */
export function buildBzImage(payload: Uint8Array, version = 0x20f, xloadflags = 0x7f): Uint8Array<ArrayBuffer> {
  const SETUP_SECTS = 3;
  const PAYLOAD_OFFSET = 64;
  const start = (SETUP_SECTS + 1) * 512 + PAYLOAD_OFFSET;
  const file = new Uint8Array(start + payload.length);
  const view = new DataView(file.buffer);
  view.setUint8(0x1f1, SETUP_SECTS);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, version, true);
  view.setUint16(0x236, xloadflags, true);
  view.setUint32(0x248, PAYLOAD_OFFSET, true);
  view.setUint32(0x24c, payload.length, true);
  file.set(payload, start);
  return file;
}
