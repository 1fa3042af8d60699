// The domain builder: writes a guest image and all that a PV guest starts with into the frames of a new
// domain. Called by the lifecycle code between creating a domain and starting its first vCPU; the caller
// then pins the L4 and sets vCPU 0 up from the result.
// Source: Xen public/xen.h, "Start-of-day memory layout" and struct start_info.
import { hypercallPage, SIF, START_INFO, START_INFO_MAGIC, START_INFO_SIZE } from '../../abi/index.ts';
import { bug } from '../../base/index.ts';
import type { Mfn, Port } from '../../base/index.ts';
import type { GuestImage } from '../image/guest-image.ts';
import { copyToGuest, frameOf, PAGE_SIZE, zeroedPage, zeroGuest } from './guest-memory.ts';
import { planLayout } from './layout.ts';
import type { DomainLayout } from './layout.ts';
import { writePageTables } from './page-tables.ts';
import type { BuilderPort } from './ports.ts';

/** What the caller needs to start and serve the domain. Addresses are 64-bit virtual ones. */
export interface BuiltDomain {
  /** rip of vCPU 0. */
  readonly entry: bigint;
  /** rsi of vCPU 0. */
  readonly startInfoVaddr: bigint;
  /** rsp of vCPU 0: the end of the boot stack. */
  readonly stackTopVaddr: bigint;
  /** Root of the page tables: to be pinned as an L4, then cr3 of vCPU 0. */
  readonly l4: Mfn;
  readonly nrPtFrames: number;
  readonly startInfoMfn: Mfn;
  readonly storeMfn: Mfn;
  readonly storePort: Port;
  readonly consoleMfn: Mfn;
  readonly consolePort: Port;
}

/** What to start the image with. */
export interface BuildOptions {
  /** The module, usually a ramdisk; empty for none. Its memory is not kept. */
  readonly module: Uint8Array;
  readonly cmdline: string;
}

/**
 * Builds a domain.
 * @param image - not released here: the caller does that, at once, to get its memory back
 * @returns throws VmmError BUILD_CMDLINE, BUILD_MODULE, BUILD_MEMORY or IMAGE_CORRUPT before it writes anything
 */
export function buildDomain(port: BuilderPort, image: GuestImage, options: BuildOptions): BuiltDomain {
  const { module, cmdline } = options;
  const layout = planLayout(image, { moduleBytes: module.length, nrPages: port.mfns.length, cmdline });
  if (port.storePort === 0 || port.consolePort === 0) bug('a domain is built without its event channels');
  for (const segment of image.segments) {
    copyToGuest(port, segment.start, segment.data);
    zeroGuest(port, segment.start + segment.data.length, segment.sizeBytes - segment.data.length);
  }
  writeModule(port, layout, module);
  writeP2m(port, layout);
  writePageTables(port, layout);
  for (const pfn of [layout.storeRing, layout.consoleRing, layout.bootStack]) zeroedPage(port, pfn);
  if (image.hypercallPage !== undefined) {
    const pfn = Number((image.hypercallPage - image.virtBase) / BigInt(PAGE_SIZE));
    port.frame(frameOf(port, pfn)).set(hypercallPage());
  }
  writeStartInfo(port, image, layout, options);
  return {
    entry: image.entry,
    startInfoVaddr: vaddrOf(image, layout.startInfo),
    stackTopVaddr: vaddrOf(image, layout.bootStack + 1),
    l4: frameOf(port, layout.tables.pfn),
    nrPtFrames: layout.tables.count,
    startInfoMfn: frameOf(port, layout.startInfo),
    storeMfn: frameOf(port, layout.storeRing),
    storePort: port.storePort,
    consoleMfn: frameOf(port, layout.consoleRing),
    consolePort: port.consolePort,
  };
}

function writeModule(port: BuilderPort, layout: DomainLayout, module: Uint8Array): void {
  const start = layout.module.pfn * PAGE_SIZE;
  copyToGuest(port, start, module);
  zeroGuest(port, start + module.length, layout.module.count * PAGE_SIZE - module.length);
}

/** Writes the list pfn to mfn; what is left of its last page stands for holes. */
function writeP2m(port: BuilderPort, layout: DomainLayout): void {
  const perPage = PAGE_SIZE / 8;
  for (let i = 0; i < layout.p2mList.count; i++) {
    const page = port.frame(frameOf(port, layout.p2mList.pfn + i)).fill(0xff);
    const entries = new DataView(page.buffer, page.byteOffset, PAGE_SIZE);
    const end = Math.min(perPage, port.mfns.length - i * perPage);
    for (let entry = 0; entry < end; entry++) {
      const mfn = frameOf(port, i * perPage + entry);
      entries.setUint32(entry * 8, mfn, true);
      entries.setUint32(entry * 8 + 4, 0, true); // an mfn fits 32 bits: the port's array holds no more
    }
  }
}

function writeStartInfo(port: BuilderPort, image: GuestImage, layout: DomainLayout, options: BuildOptions): void {
  const page = zeroedPage(port, layout.startInfo);
  const info = new DataView(page.buffer, page.byteOffset, START_INFO_SIZE);
  const put64 = (offset: number, value: number | bigint): void => info.setBigUint64(offset, BigInt(value), true);
  const text = new TextEncoder();
  page.set(text.encode(START_INFO_MAGIC), START_INFO.magic);
  put64(START_INFO.nr_pages, port.mfns.length);
  put64(START_INFO.shared_info, port.sharedInfo);
  let flags: number = SIF.VIRT_P2M_4TOOLS;
  if (layout.module.count > 0) {
    if (!layout.moduleIsMapped) flags |= SIF.MOD_START_PFN;
    put64(START_INFO.mod_start, layout.moduleIsMapped ? vaddrOf(image, layout.module.pfn) : layout.module.pfn);
    put64(START_INFO.mod_len, options.module.length);
  }
  info.setUint32(START_INFO.flags, flags, true);
  put64(START_INFO.store_mfn, frameOf(port, layout.storeRing));
  info.setUint32(START_INFO.store_evtchn, port.storePort, true);
  put64(START_INFO.console_mfn, frameOf(port, layout.consoleRing));
  info.setUint32(START_INFO.console_evtchn, port.consolePort, true);
  put64(START_INFO.pt_base, vaddrOf(image, layout.tables.pfn));
  put64(START_INFO.nr_pt_frames, layout.tables.count);
  put64(START_INFO.mfn_list, image.initP2m ?? vaddrOf(image, layout.p2mList.pfn));
  if (image.initP2m !== undefined) {
    put64(START_INFO.first_p2m_pfn, layout.p2mList.pfn);
    put64(START_INFO.nr_p2m_frames, layout.p2mList.count + layout.p2mTables.count);
  }
  page.set(text.encode(options.cmdline), START_INFO.cmd_line);
}

function vaddrOf(image: GuestImage, pfn: number): bigint {
  return image.virtBase + BigInt(pfn) * BigInt(PAGE_SIZE);
}
