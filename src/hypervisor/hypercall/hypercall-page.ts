// Gives a guest its hypercall page when it asks for one at run time: code that guests of an older kind call to
// issue hypercalls. What is in it stands in the interface's own layer, because the domain builder writes it too.

import { hypercallPage } from '../../abi/index.ts';
import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';

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
