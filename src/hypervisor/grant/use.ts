// Beginning and ending the use of a grant: by a guest that maps or copies, or by a backend of domain 0.
// While it is used, the entry's GTF_reading and GTF_writing bits say so, and the frame cannot be freed
// or change its type. Source: Xen public/grant_table.h, "Version 1 of the grant table entry structure".

import { GntStatus, Gtf } from '../../abi/index.ts';
import { bug, type Domid } from '../../base/index.ts';
import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';

/** How often an entry may change under our hands before we give up. */
const MAX_TRIES = 5;

/** Uses of one entry by one grantee. */
const MAX_USES = 0x10000;

/**
 * Begins a use.
 * @param ref - any u32
 * @returns the mfn of the granted frame, or a negative `GntStatus`
 */
export function beginUse(pcpu: Pcpu, granter: Domain, grantee: Domid, ref: number, writable: boolean): number {
  const word = granter.grants.wordOf(ref);
  if (word < 0 || granter.dying) return GntStatus.GNTST_bad_gntref;
  const active = granter.grants.active.get(ref);
  if (active !== undefined && active.grantee !== grantee) return GntStatus.GNTST_general_error;
  if (active !== undefined && active.readers + active.writers >= MAX_USES) return GntStatus.GNTST_no_device_space;
  const status = markInUse(pcpu, word, grantee, writable);
  if (status !== GntStatus.GNTST_okay) return status;
  // What the first use found stays true for the later ones, whatever the guest writes meanwhile.
  const frame = active?.frame ?? pcpu.memory.u32[word + 1] ?? 0;
  if (!pcpu.mm.getFrame(granter, frame, writable)) {
    if (active === undefined || (writable && active.writers === 0)) clearMarks(pcpu, word, active !== undefined);
    return GntStatus.GNTST_bad_page;
  }
  if (active === undefined) {
    granter.grants.active.set(ref, { frame, grantee, readers: writable ? 0 : 1, writers: writable ? 1 : 0 });
  } else if (writable) active.writers++;
  else active.readers++;
  return frame;
}

/** Ends a use that `beginUse` began, and gives back the frame's references. */
export function endUse(pcpu: Pcpu, granter: Domain, ref: number, writable: boolean): void {
  const active = granter.grants.active.get(ref) ?? bug(`grant ${ref} of domain ${granter.domid} is not in use`);
  pcpu.mm.putFrame(active.frame, writable);
  forgetUse(pcpu, granter, ref, writable);
}

/** Ends a use whose references are gone already, with the page-table entry that held them. */
export function forgetUse(pcpu: Pcpu, granter: Domain, ref: number, writable: boolean): void {
  const active = granter.grants.active.get(ref) ?? bug(`grant ${ref} of domain ${granter.domid} is not in use`);
  if (writable) active.writers--;
  else active.readers--;
  const word = granter.grants.wordOf(ref);
  if (active.readers === 0 && active.writers === 0) {
    granter.grants.active.delete(ref);
    clearMarks(pcpu, word, false);
  } else if (active.writers === 0) clearMarks(pcpu, word, true);
}

/** Checks an entry and sets its marks in one step. @returns a `GntStatus` */
function markInUse(pcpu: Pcpu, word: number, grantee: Domid, writable: boolean): number {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const entry = Atomics.load(pcpu.memory.u32, word);
    if ((entry & Gtf.GTF_type_mask) !== Gtf.GTF_permit_access || entry >>> 16 !== grantee) {
      return GntStatus.GNTST_general_error;
    }
    if (writable && (entry & Gtf.GTF_readonly) !== 0) return GntStatus.GNTST_general_error;
    const marked = (entry | Gtf.GTF_reading | (writable ? Gtf.GTF_writing : 0)) >>> 0;
    if (Atomics.compareExchange(pcpu.memory.u32, word, entry, marked) === entry) return GntStatus.GNTST_okay;
  }
  return GntStatus.GNTST_eagain;
}

/** Clears GTF_writing, and GTF_reading too unless the entry is still read. */
function clearMarks(pcpu: Pcpu, word: number, stillRead: boolean): void {
  if (word < 0) return;
  Atomics.and(pcpu.memory.u32, word, stillRead ? ~Gtf.GTF_writing : ~(Gtf.GTF_writing | Gtf.GTF_reading));
}
