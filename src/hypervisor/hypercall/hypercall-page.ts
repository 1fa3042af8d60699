// The hypercall page: code that guests of an older kind call to issue hypercalls. 128 slots of 32 bytes.
// Source: reference of the interface, section 2.6.

import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';

const SLOT_SIZE = 32;
const NR_SLOTS = 128;
const IRET_SLOT = 23;
const INT3 = 0xcc;

/** push rcx; push r11; mov $n,%eax; syscall; pop r11; pop rcx; ret. The number goes in at offset 4. */
const SLOT = [0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3] as const;

/** push rcx; push r11; push rax; mov $23,%eax; syscall */
const IRET = [0x51, 0x41, 0x53, 0x50, 0xb8, IRET_SLOT, 0, 0, 0, 0x0f, 0x05] as const;

/** Contents of the page. */
export function hypercallPage(): Uint8Array {
  const page = new Uint8Array(SLOT_SIZE * NR_SLOTS).fill(INT3);
  for (let slot = 0; slot < NR_SLOTS; slot++) {
    page.set(slot === IRET_SLOT ? IRET : SLOT, slot * SLOT_SIZE);
    if (slot !== IRET_SLOT) page[slot * SLOT_SIZE + 4] = slot;
  }
  return page;
}

/**
 * Writes the page to a frame that the guest names by a write to the hypervisor's register.
 * @param lo - low half of the frame's address; its low 12 bits number the page, of which there is one
 * @param hi - high half
 * @returns false when the frame is not the guest's to write
 */
export function fillHypercallPage(pcpu: Pcpu, domain: Domain, lo: number, hi: number): boolean {
  if ((lo & 0xfff) !== 0) return false;
  const frame = hi * 0x100000 + (lo >>> 12);
  if (!pcpu.mm.getFrame(domain, frame, true)) return false;
  pcpu.memory.frame(frame).set(hypercallPage());
  pcpu.access.noteWrite(frame);
  pcpu.mm.putFrame(frame, true);
  return true;
}
