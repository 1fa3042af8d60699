// GNTTABOP_copy: copies part of a page to part of another, each named by a grant or, when it is the
// caller's own, by its mfn. The result is a `GntStatus`; the request has been copied in already.

import { DomidReserved, GntCopy, GntStatus, GNTTAB_COPY } from '../../abi/index.ts';
import { domid, type Domid, mfn } from '../../base/index.ts';
import { addressOf, FRAME_SIZE } from '../../machine/index.ts';
import type { Domain } from '../domain.ts';
import type { GuestBuffer } from '../guest-access.ts';
import type { Pcpu } from '../pcpu.ts';
import { beginUse, endUse } from './use.ts';

/** Carries out one copy request of `caller`. */
export function copyGranted(pcpu: Pcpu, caller: Domain, request: GuestBuffer): number {
  const sourceOffset = request.u16(GNTTAB_COPY.source_offset);
  const targetOffset = request.u16(GNTTAB_COPY.dest_offset);
  const length = request.u16(GNTTAB_COPY.len);
  const flags = request.u16(GNTTAB_COPY.flags);
  if (sourceOffset + length > FRAME_SIZE || targetOffset + length > FRAME_SIZE) return GntStatus.GNTST_bad_copy_arg;

  const source = new CopySide(
    pcpu,
    caller,
    request,
    GNTTAB_COPY.source_u,
    (flags & GntCopy.GNTCOPY_source_gref) !== 0,
    false,
  );
  if (source.frame < 0) return source.frame;
  const target = new CopySide(
    pcpu,
    caller,
    request,
    GNTTAB_COPY.dest_u,
    (flags & GntCopy.GNTCOPY_dest_gref) !== 0,
    true,
  );
  if (target.frame >= 0) {
    const from = addressOf(mfn(source.frame)) + sourceOffset;
    pcpu.memory.u8.copyWithin(addressOf(mfn(target.frame)) + targetOffset, from, from + length);
    pcpu.access.noteWrite(mfn(target.frame));
    target.release();
  }
  source.release();
  return target.frame < 0 ? target.frame : GntStatus.GNTST_okay;
}

/** One side of a copy: a frame that we hold a reference to until `release`. */
class CopySide {
  /** mfn, or a negative `GntStatus`. */
  readonly frame: number;
  readonly #pcpu: Pcpu;
  readonly #owner: Domain | undefined;
  readonly #ref: number | undefined;
  readonly #writable: boolean;

  constructor(pcpu: Pcpu, caller: Domain, request: GuestBuffer, at: number, byRef: boolean, writable: boolean) {
    this.#pcpu = pcpu;
    this.#writable = writable;
    const named = request.u16(at + 8);
    const isSelf = named === DomidReserved.DOMID_SELF || named === caller.domid;
    this.#owner = isSelf ? caller : pcpu.domains.get(domid(named));
    this.#ref = byRef ? request.lo(at) : undefined;
    this.frame = this.#open(caller.domid, request.number(at), isSelf);
  }

  #open(caller: Domid, frame: number, isSelf: boolean): number {
    if (this.#owner === undefined) return GntStatus.GNTST_bad_domain;
    if (this.#ref !== undefined) return beginUse(this.#pcpu, this.#owner, caller, this.#ref, this.#writable);
    if (!isSelf) return GntStatus.GNTST_permission_denied;
    return this.#pcpu.mm.getFrame(this.#owner, frame, this.#writable) ? frame : GntStatus.GNTST_bad_page;
  }

  release(): void {
    if (this.#owner === undefined || this.frame < 0) return;
    if (this.#ref !== undefined) endUse(this.#pcpu, this.#owner, this.#ref, this.#writable);
    else this.#pcpu.mm.putFrame(mfn(this.frame), this.#writable);
  }
}
