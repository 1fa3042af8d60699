// What an image says about itself, in one of two ways: ELF notes named "Xen", or the older `__xen_guest`
// string section. Both are read into the same record; `guest-image.ts` fills in defaults and checks it.
// Source: Xen public/elfnote.h; for the strings, the list in the file's table.
import { XEN_ELFNOTE, XENFEAT } from '../../abi/index.ts';
import type { ByteView } from './byte-view.ts';
import { decodeLatin1 } from './byte-view.ts';
import { FormatError } from './format-error.ts';

/** Everything an image may say; what it does not say is undefined. Addresses are unchecked. */
export interface GuestDescription {
  entry?: bigint;
  hypercallPage?: bigint;
  virtBase?: bigint;
  paddrOffset?: bigint;
  xenVersion?: string;
  guestOs?: string;
  guestVersion?: string;
  loader?: string;
  bsdSymtab?: boolean;
  hvStartLow?: bigint;
  suspendCancel?: boolean;
  initP2m?: bigint;
  modStartIsPfn?: boolean;
  /** Entry of a PVH guest; says nothing about PV. */
  pvhEntry?: bigint;
  /** Names in FEATURES without and with a leading '!'. */
  features?: readonly string[];
  requiredFeatures?: readonly string[];
  /** Names of the bits in SUPPORTED_FEATURES. */
  supportedFeatures?: readonly string[];
}

/**
 * Reads the notes named "Xen" of one note segment or section into `into`.
 * @param align - of the notes, as the program header says: 8 pads to 8 bytes, anything else to 4
 * @returns how many it found
 */
export function readXenNotes(notes: ByteView, align: bigint, into: GuestDescription): number {
  const unit = align === 8n ? 8 : 4;
  const pad = (size: number): number => Math.ceil(size / unit) * unit;
  let found = 0;
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameBytes = notes.u32(at);
    const descBytes = notes.u32(at + 4);
    const type = notes.u32(at + 8);
    const descAt = unit === 8 ? pad(at + 12 + nameBytes) : at + 12 + pad(nameBytes);
    const name = notes.part(at + 12, nameBytes, 'note');
    const desc = notes.part(descAt, descBytes, 'note');
    if (nameBytes > 0 && name.text(0) === 'Xen') {
      takeNote(type, desc, into);
      found++;
    }
    at = pad(descAt + descBytes);
  }
  return found;
}

function takeNote(type: number, desc: ByteView, into: GuestDescription): void {
  switch (type) {
    case XEN_ELFNOTE.ENTRY:
      into.entry = noteNumber(desc);
      break;
    case XEN_ELFNOTE.HYPERCALL_PAGE:
      into.hypercallPage = noteNumber(desc);
      break;
    case XEN_ELFNOTE.VIRT_BASE:
      into.virtBase = noteNumber(desc);
      break;
    case XEN_ELFNOTE.PADDR_OFFSET:
      into.paddrOffset = noteNumber(desc);
      break;
    case XEN_ELFNOTE.XEN_VERSION:
      into.xenVersion = desc.text(0);
      break;
    case XEN_ELFNOTE.GUEST_OS:
      into.guestOs = desc.text(0);
      break;
    case XEN_ELFNOTE.GUEST_VERSION:
      into.guestVersion = desc.text(0);
      break;
    case XEN_ELFNOTE.LOADER:
      into.loader = desc.text(0);
      break;
    case XEN_ELFNOTE.FEATURES:
      takeFeatures(desc.text(0), into);
      break;
    case XEN_ELFNOTE.BSD_SYMTAB:
      into.bsdSymtab = desc.text(0).startsWith('yes');
      break;
    case XEN_ELFNOTE.HV_START_LOW:
      into.hvStartLow = noteNumber(desc);
      break;
    case XEN_ELFNOTE.SUSPEND_CANCEL:
      into.suspendCancel = noteNumber(desc) !== 0n;
      break;
    case XEN_ELFNOTE.INIT_P2M:
      into.initP2m = noteNumber(desc);
      break;
    case XEN_ELFNOTE.MOD_START_PFN:
      into.modStartIsPfn = noteNumber(desc) !== 0n;
      break;
    case XEN_ELFNOTE.SUPPORTED_FEATURES:
      into.supportedFeatures = featureNames(noteNumber(desc));
      break;
    case XEN_ELFNOTE.PHYS32_ENTRY:
      into.pvhEntry = noteNumber(desc);
      break;
    default: // PAE_MODE, L1_MFN_VALID and what may come later change nothing for a 64-bit PV guest
  }
}

/** A note's number may be stored in 1, 2, 4 or 8 bytes. */
function noteNumber(desc: ByteView): bigint {
  switch (desc.length) {
    case 1:
      return BigInt(desc.u8(0));
    case 2:
      return BigInt(desc.u16(0));
    case 4:
      return BigInt(desc.u32(0));
    case 8:
      return desc.u64(0);
    default:
      throw new FormatError('IMAGE_CORRUPT', `a Xen note has a number of ${desc.length} bytes`);
  }
}

function takeFeatures(text: string, into: GuestDescription): void {
  const names = text.split('|').filter((name) => name !== '' && name !== '!');
  into.features = names.filter((name) => !name.startsWith('!'));
  into.requiredFeatures = names.filter((name) => name.startsWith('!')).map((name) => name.slice(1));
}

function featureNames(mask: bigint): readonly string[] {
  return Object.entries(XENFEAT)
    .filter(([, bit]) => mask & (1n << BigInt(bit)))
    .map(([name]) => name);
}

/** Reads a `__xen_guest` section into `into`: comma-separated KEY=value pairs, NUL-terminated. */
export function readXenGuestSection(section: ByteView, into: GuestDescription): void {
  const nul = section.bytes.indexOf(0);
  const text = decodeLatin1(nul < 0 ? section.bytes : section.bytes.subarray(0, nul));
  let hypercallFrame: bigint | undefined;
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? '' : pair.slice(equals + 1);
    switch (key.trim()) {
      case 'GUEST_OS':
        into.guestOs = value;
        break;
      case 'GUEST_VER':
        into.guestVersion = value;
        break;
      case 'XEN_VER':
        into.xenVersion = value;
        break;
      case 'LOADER':
        into.loader = value;
        break;
      case 'VIRT_BASE':
        into.virtBase = pairNumber(key, value);
        break;
      case 'VIRT_ENTRY':
        into.entry = pairNumber(key, value);
        break;
      case 'ELF_PADDR_OFFSET':
        into.paddrOffset = pairNumber(key, value);
        break;
      case 'HYPERCALL_PAGE':
        hypercallFrame = pairNumber(key, value);
        break;
      case 'BSD_SYMTAB':
        into.bsdSymtab = value === '' || value.startsWith('yes');
        break;
      case 'FEATURES':
        takeFeatures(value, into);
        break;
      default: // PAE is for 32-bit guests, unknown keys are not ours to judge
    }
  }
  // A frame number relative to the virtual base, wherever in the string that stands.
  if (hypercallFrame !== undefined) {
    into.hypercallPage = BigInt.asUintN(64, (into.virtBase ?? 0n) + hypercallFrame * 4096n);
  }
}

function pairNumber(key: string, value: string): bigint {
  if (!/^(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19})$/.test(value)) {
    throw new FormatError('IMAGE_CORRUPT', `its __xen_guest section has a bad number for ${key}`);
  }
  return BigInt(value);
}
