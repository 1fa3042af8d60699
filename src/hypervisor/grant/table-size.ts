// Growing a domain's grant table.

import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';
import { MAX_GRANT_FRAMES } from './grant-table.ts';

/** Makes the table at least `nrFrames` long. @returns false when it cannot be */
export function growGrantTable(pcpu: Pcpu, domain: Domain, nrFrames: number): boolean {
  if (nrFrames > MAX_GRANT_FRAMES) return false;
  while (domain.grants.frames.length < nrFrames) {
    const frame = pcpu.mm.allocateShared(domain);
    if (frame === undefined) return false;
    domain.grants.frames.push(frame);
  }
  return true;
}
