// Two domains in one machine, 1 and 2: sharing pages by grants and signals by event channels, and what a
// domain cannot do to the other. The first domain grants; the second uses.

import {
  EvtchnOp,
  GntCopy,
  GntMap,
  GntStatus,
  GNTTAB_COPY,
  GNTTAB_COPY_SIZE,
  GNTTAB_MAP_GRANT_REF,
  GNTTAB_MAP_GRANT_REF_SIZE,
  GNTTAB_UNMAP_GRANT_REF,
  GNTTAB_UNMAP_GRANT_REF_SIZE,
  GnttabOp,
  Gtf,
  MmuExt,
  SchedOp,
} from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, dwordOf, registers, wordOf } from '../support/assembler/operands.ts';
import { Flags, M2P } from '../support/guest/constants.ts';
import { pairTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax, rcx, eax } = registers;

const REF = 8;
const GRANTER = 1;
const USER = 2;

/** Maps the first frame of the domain's own grant table at page `grants`. */
function mapGrantTable(k: Kernel): void {
  k.page('grants');
  const setup = k.record(24, [2, 0, 0x7ff0], [4, 4, 1], [8, 16, 'cell.grant.frame']);
  k.set(k.cell('grant.frame'), 0);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_setup_table, setup, 1);
  k.expect('setup_table', 0);
  k.mov(rax, k.cell('grant.frame'));
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  k.updateVaMapping('grants', rax);
  k.expect('mapping the grant table', 0);
}

/** Grants a page to domain 2. */
function grant(k: Kernel, ref: number, page: string, flags: number = Gtf.GTF_permit_access): void {
  k.mfn(page);
  k.mov(dwordOf(at('grants', ref * 8 + 4)), eax);
  k.mov(wordOf(at('grants', ref * 8 + 2)), USER);
  k.mov(wordOf(at('grants', ref * 8)), flags);
}

function yieldTurn(k: Kernel): void {
  k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
}

/** Lets the other run until the word at `page` is `want`. */
function waitForWord(k: Kernel, page: string, offset: number, want: number): void {
  const loop = k.fresh('wait');
  k.label(loop);
  yieldTurn(k);
  k.cmp(at(page, offset), want);
  k.j('ne', loop);
}

/** One map request; its record. The status is in rax. */
function mapGrant(k: Kernel, page: Value, ref: number, flags: number = GntMap.GNTMAP_host_map): string {
  const map = k.record(
    GNTTAB_MAP_GRANT_REF_SIZE,
    [8, GNTTAB_MAP_GRANT_REF.host_addr, page],
    [4, GNTTAB_MAP_GRANT_REF.flags, flags],
    [4, GNTTAB_MAP_GRANT_REF.ref, ref],
    [2, GNTTAB_MAP_GRANT_REF.dom, GRANTER],
  );
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_map_grant_ref, map, 1);
  k.expect('map_grant_ref', 0);
  status(k, at(map, GNTTAB_MAP_GRANT_REF.status));
  return map;
}

/** rax = a status field, sign-extended. */
function status(k: Kernel, field: ReturnType<typeof at>): void {
  k.movzx(rax, wordOf(field));
  k.shl(rax, 48);
  k.bytes(0x48, 0xc1, 0xf8, 48); // sar $48,%rax
}

/** Maps once the other has granted. */
function mapWhenGranted(k: Kernel, page: Value, ref: number, flags: number = GntMap.GNTMAP_host_map): string {
  const again = k.fresh('again');
  k.label(again);
  yieldTurn(k);
  const map = mapGrant(k, page, ref, flags);
  k.test(rax, rax);
  k.j('ne', again);
  return map;
}

function unmapGrant(k: Kernel, page: Value, map: string): void {
  k.mov(eax, dwordOf(at(map, GNTTAB_MAP_GRANT_REF.handle)));
  k.mov(k.cell('handle'), rax);
  const unmap = k.record(
    GNTTAB_UNMAP_GRANT_REF_SIZE,
    [8, GNTTAB_UNMAP_GRANT_REF.host_addr, page],
    [4, GNTTAB_UNMAP_GRANT_REF.handle, k.cell('handle')],
  );
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_unmap_grant_ref, unmap, 1);
  k.expect('unmap_grant_ref', 0);
  status(k, at(unmap, GNTTAB_UNMAP_GRANT_REF.status));
}

pairTest(
  'two domains: a granted page is shared until it is unmapped',
  (k) => {
    mapGrantTable(k);
    k.page('shared');
    k.set(at('shared'), 0x1234);
    grant(k, REF, 'shared');
    waitForWord(k, 'shared', 8, 0x5678);
    // While it is in use, the entry says so and the frame is no page table.
    k.movzx(rax, wordOf(at('grants', REF * 8)));
    k.and(rax, Gtf.GTF_reading | Gtf.GTF_writing);
    k.expect('reading and writing', Gtf.GTF_reading | Gtf.GTF_writing);
    k.protect('shared', Flags.READ_ONLY);
    k.expect('read-only here', 0);
    k.mfn('shared');
    k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.keep('frame'));
    k.expectRefusal('pinning a page that another domain can write');
    k.protect('shared', Flags.DATA);
    k.mov(at('shared', 16), 1);
    waitForWord(k, 'grants', REF * 8 + 8, 0); // an unused entry: one more turn for the other
    k.label('until.unmapped');
    yieldTurn(k);
    k.movzx(rax, wordOf(at('grants', REF * 8)));
    k.test(rax, Gtf.GTF_reading | Gtf.GTF_writing);
    k.j('ne', 'until.unmapped');
  },
  (k) => {
    k.page('window');
    const map = mapWhenGranted(k, 'window', REF);
    k.mov(rax, at('window'));
    k.expect('what the other wrote', 0x1234);
    k.mov(at('window', 8), 0x5678);
    waitForWord(k, 'window', 16, 1);
    unmapGrant(k, 'window', map);
    k.expect('status', GntStatus.GNTST_okay);
    k.expectTrap('a read after the unmap', Vector.PF, () => k.mov(rax, at('window')));
    unmapGrant(k, 'window', map);
    k.expectRefusal('a second unmap');
  },
);

pairTest(
  'two domains: a page that was not granted, or read-only, or to another, cannot be used as one likes',
  (k) => {
    mapGrantTable(k);
    k.page('shared');
    k.page('secret');
    k.set(at('secret'), 0x5ec4e7);
    k.set(at('shared'), 0x1234);
    grant(k, REF + 1, 'secret');
    k.mov(wordOf(at('grants', (REF + 1) * 8 + 2)), 77);
    grant(k, REF + 2, 'secret', 0);
    grant(k, REF + 3, 'secret');
    k.mov(dwordOf(at('grants', (REF + 3) * 8 + 4)), 0xfffffff0);
    k.entry('secret');
    k.shr(rax, 12);
    grant(k, REF + 4, 'secret');
    k.entry('secret');
    k.shr(rax, 12);
    k.mov(dwordOf(at('grants', (REF + 4) * 8 + 4)), eax);
    grant(k, REF, 'shared', Gtf.GTF_permit_access | Gtf.GTF_readonly);
    k.repeat(1000, () => yieldTurn(k));
    k.mov(rax, at('shared'));
    k.expect('the page', 0x1234);
  },
  (k) => {
    k.page('window');
    k.page('other');
    const map = mapWhenGranted(k, 'window', REF, GntMap.GNTMAP_host_map | GntMap.GNTMAP_readonly);
    k.mov(rax, at('window'));
    k.expect('what the other wrote', 0x1234);
    k.expectTrap('a write to it', Vector.PF, () => k.mov(at('window'), 1));
    // A writable entry for the frame cannot be made by hand, nor a second mapping.
    k.entry('window');
    k.or(rcx, 2);
    k.mov(k.cell('pte'), rcx);
    k.updateVaMapping('other', k.cell('pte'));
    k.expectRefusal('update_va_mapping, writable');
    for (const [what, ref, flags] of [
      ['writable, of a read-only grant', REF, GntMap.GNTMAP_host_map],
      ['of a grant to another domain', REF + 1, GntMap.GNTMAP_host_map],
      ['of an entry that grants nothing', REF + 2, GntMap.GNTMAP_host_map],
      ['of a frame that does not exist', REF + 3, GntMap.GNTMAP_host_map],
      ['of a page table, writable', REF + 4, GntMap.GNTMAP_host_map],
      ['of an entry behind the table', 0x7fffffff, GntMap.GNTMAP_host_map],
      ['without a place', REF, 0],
    ] as const) {
      mapGrant(k, 'other', ref, flags);
      k.expectRefusal(`a mapping ${what}`);
    }
    for (const [what, page] of Object.entries({
      'the table of frames': M2P,
      "the hypervisor's space": 0xffff_8300_0000_0000n,
      'an address that is not canonical': 0x8000_0000_0000n,
      'an address without a table': 0x7000_0000_0000n,
    })) {
      mapGrant(k, page, REF, GntMap.GNTMAP_host_map | GntMap.GNTMAP_readonly);
      k.expectRefusal(`a mapping at ${what}`);
    }
    for (const handle of [77, 0xffffffff]) {
      const unmap = k.record(24, [8, 0, 'window'], [4, 16, handle]);
      k.hypercall('grant_table_op', GnttabOp.GNTTABOP_unmap_grant_ref, unmap, 1);
      status(k, at(unmap, GNTTAB_UNMAP_GRANT_REF.status));
      k.expectRefusal(`an unmap by handle ${handle}`);
    }
    unmapGrant(k, 'other', map);
    k.expectRefusal('an unmap at another address');
    unmapGrant(k, 'window', map);
    k.expect('the unmap', 0);
  },
);

pairTest(
  'two domains: grant copies stay within the pages that were granted',
  (k) => {
    mapGrantTable(k);
    k.page('shared');
    k.set(at('shared', 64), 0xabcd);
    grant(k, REF, 'shared');
    grant(k, REF + 1, 'shared', Gtf.GTF_permit_access | Gtf.GTF_readonly);
    waitForWord(k, 'shared', 128, 0x4321);
    k.mov(rax, at('shared', 64));
    k.expect('the rest of the page', 0xabcd);
  },
  (k) => {
    k.page('mine');
    k.mfn('mine');
    k.keep('mine');
    const copy = (
      from: readonly [Value, number, number],
      to: readonly [Value, number, number],
      length: number,
      flags: number,
    ): void => {
      const request = k.record(
        GNTTAB_COPY_SIZE,
        [8, GNTTAB_COPY.source_u, from[0]],
        [2, GNTTAB_COPY.source_domid, from[1]],
        [2, GNTTAB_COPY.source_offset, from[2]],
        [8, GNTTAB_COPY.dest_u, to[0]],
        [2, GNTTAB_COPY.dest_domid, to[1]],
        [2, GNTTAB_COPY.dest_offset, to[2]],
        [2, GNTTAB_COPY.len, length],
        [2, GNTTAB_COPY.flags, flags],
      );
      k.hypercall('grant_table_op', GnttabOp.GNTTABOP_copy, request, 1);
      k.expect('copy', 0);
      status(k, at(request, GNTTAB_COPY.status));
    };
    const mine = (offset: number): readonly [Value, number, number] => [k.cell('mine'), 0x7ff0, offset];
    const { GNTCOPY_source_gref: FROM_REF, GNTCOPY_dest_gref: TO_REF } = GntCopy;
    k.label('again');
    yieldTurn(k);
    copy([REF, GRANTER, 64], mine(8), 8, FROM_REF);
    k.test(rax, rax);
    k.j('ne', 'again');
    k.mov(rax, at('mine', 8));
    k.expect('what was copied', 0xabcd);
    copy(mine(0), [REF + 1, GRANTER, 0], 8, TO_REF);
    k.expectRefusal('a copy to a read-only grant');
    copy([REF, GRANTER, 4090], mine(0), 8, FROM_REF);
    k.expectRefusal('a copy across the end of the granted page');
    copy([REF, GRANTER, 0], mine(4090), 8, FROM_REF);
    k.expectRefusal('a copy across the end of the own page');
    copy([REF + 2, GRANTER, 0], mine(0), 8, FROM_REF);
    k.expectRefusal('a copy from a page that was not granted');
    k.foreignFrame();
    k.keep('foreign');
    copy([k.cell('foreign'), 0x7ff0, 0], mine(0), 8, 0);
    k.expectRefusal('a copy from a foreign frame');
    copy([k.cell('foreign'), GRANTER, 0], mine(0), 8, 0);
    k.expectRefusal("a copy from another domain's frame by number");
    k.entry('mine');
    k.shr(rax, 12);
    k.keep('table');
    copy([REF, GRANTER, 0], [k.cell('table'), 0x7ff0, 0], 8, FROM_REF);
    k.expectRefusal('a copy to a page table');
    k.set(at('mine', 16), 0x4321);
    copy(mine(16), [REF, GRANTER, 128], 8, TO_REF);
    k.expect('a copy to a writable grant', 0);
  },
);

pairTest(
  'two domains: a mapped page outlives its owner',
  (k) => {
    mapGrantTable(k);
    k.page('shared');
    k.set(at('shared'), 0x1234);
    grant(k, REF, 'shared');
    waitForWord(k, 'shared', 8, 1);
  },
  (k) => {
    k.page('window');
    mapWhenGranted(k, 'window', REF);
    k.mov(at('window', 8), 1);
    k.repeat(200, () => yieldTurn(k));
    k.mov(rax, at('window'));
    k.expect('the page', 0x1234);
    // The end of this domain unmaps it.
  },
);

pairTest(
  'two domains: a frame that was given back stays as it is while the other has it mapped',
  (k) => {
    mapGrantTable(k);
    k.page('shared');
    k.set(at('shared'), 0x1234);
    grant(k, REF, 'shared');
    waitForWord(k, 'shared', 8, 1);
    k.mfn('shared');
    k.keep('extent');
    k.updateVaMapping('shared', 0);
    k.expect('unmapping it here', 0);
    k.hypercall('memory_op', 1, k.record(32, [8, 0, 'cell.extent'], [8, 8, 1], [2, 24, 0x7ff0]));
    k.expect('decrease_reservation', 1);
    k.mov(wordOf(at('grants', (REF + 1) * 8)), 1);
    k.label('until.unmapped');
    yieldTurn(k);
    k.movzx(rax, wordOf(at('grants', REF * 8)));
    k.test(rax, Gtf.GTF_reading);
    k.j('ne', 'until.unmapped');
  },
  (k) => {
    k.page('window');
    const map = mapWhenGranted(k, 'window', REF);
    k.mov(at('window', 8), 1);
    k.repeat(100, () => yieldTurn(k));
    k.mov(rax, at('window'));
    k.expect('the page', 0x1234);
    k.mov(at('window'), 0x9999);
    unmapGrant(k, 'window', map);
    k.expect('unmap', 0);
  },
);

pairTest(
  'two domains: an event channel joins the two ends that agreed on it, and nobody else',
  (k) => {
    k.mov(at('shared_info', 2560), 6); // unmasked, but for console and store
    const open = k.record(8, [2, 0, 0x7ff0], [2, 2, USER]);
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_alloc_unbound, open);
    k.expect('alloc_unbound', 0);
    k.mov(eax, dwordOf(at(open, 4)));
    k.expect('the port', 3);
    const own = k.record(8, [2, 0, 0x7ff0], [2, 2, 77]);
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_alloc_unbound, own);
    k.expect('a port for another domain', 0);
    k.label('until.event');
    yieldTurn(k);
    k.test(at('shared_info', 2048), 8);
    k.j('e', 'until.event');
    k.mov(rax, at('shared_info', 2048));
    k.and(rax, ~0xf);
    k.expect('no other event', 0);
  },
  (k) => {
    const bind = k.record(12, [2, 0, GRANTER], [4, 4, 3]);
    k.label('again');
    yieldTurn(k);
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_interdomain, bind);
    k.test(rax, rax);
    k.j('ne', 'again');
    k.mov(eax, dwordOf(at(bind, 8)));
    k.keep('port');
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_interdomain, bind);
    k.expectRefusal('binding it twice');
    for (const port of [1, 2, 4, 5, 4095, 0xffffffff]) {
      k.set(dwordOf(at(bind, 4)), port);
      k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_interdomain, bind);
      k.expectRefusal(`binding port ${port}`);
    }
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_status, k.record(24, [2, 0, GRANTER], [4, 4, 3]));
    k.expectRefusal("status of the other domain's port");
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_send, k.record(4, [4, 0, k.cell('port')]));
    k.expect('send', 0);
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_close, k.record(4, [4, 0, k.cell('port')]));
    k.expect('close', 0);
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_send, k.record(4, [4, 0, k.cell('port')]));
    k.expectRefusal('send after close');
  },
);

pairTest(
  "two domains: no call works on the other domain's memory",
  (k) => {
    k.page('data');
    k.set(at('data'), 0x1234);
    k.repeat(300, () => yieldTurn(k));
    k.mov(rax, at('data'));
    k.expect('the data', 0x1234);
  },
  (k) => {
    k.page('window');
    k.mfn('window');
    k.keep('frame');
    k.mmuUpdate(k.cell('frame'), 0, GRANTER);
    k.expectRefusal('mmu_update');
    k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.cell('frame'), 0, GRANTER);
    k.expectRefusal('mmuext_op');
    k.hypercall('update_va_mapping_otherdomain', 'window', 0, 2, GRANTER);
    k.expectRefusal('update_va_mapping_otherdomain');
    k.hypercall(
      'grant_table_op',
      GnttabOp.GNTTABOP_setup_table,
      k.record(24, [2, 0, GRANTER], [4, 4, 1], [8, 16, 'window']),
      1,
    );
    k.hypercall('grant_table_op', GnttabOp.GNTTABOP_query_size, k.record(16, [2, 0, GRANTER]), 1);
    for (const command of [0, 1, 6]) {
      const request = k.record(32, [8, 0, 'cell.frame'], [8, 8, 1], [2, 24, GRANTER]);
      k.hypercall('memory_op', command, request);
      k.expectOneOf(`memory_op ${command}`, 0, -1, -3);
    }
    // Every frame of the machine: those that are not ours cannot be mapped.
    k.mov(registers.rbx, 1);
    k.label('each');
    k.mov(rcx, M2P);
    k.mov(rcx, at(rcx, 0, { index: registers.rbx, scale: 8 }));
    k.startInfo(104);
    k.cmp(rcx, 1056);
    k.j('ae', 'foreign');
    k.mov(rax, at(rax, 0, { index: rcx, scale: 8 }));
    k.cmp(rax, registers.rbx);
    k.j('e', 'own');
    k.label('foreign');
    k.mov(rax, registers.rbx);
    k.shl(rax, 12);
    k.or(rax, Flags.READ_ONLY);
    k.updateVaMapping('window', rax);
    k.test(rax, rax);
    k.j('s', 'own');
    // The shared page and the grant table are the domain's, though they have no pfn.
    k.inc(k.cell('mapped'));
    k.label('own');
    k.inc(registers.rbx);
    k.cmp(registers.rbx, 4090);
    k.j('b', 'each');
    k.mov(rax, k.cell('mapped'));
    k.expectOneOf('frames without a pfn that could be mapped', 2, 1, 33);
    k.updateVaMapping('window', 0);
  },
);
