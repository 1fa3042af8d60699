// The grant table of one domain: its size, its version, its frames, and the operations that are refused.
// Sharing between domains is in two-domains.test.ts.

import { DomidReserved, GntStatus, GnttabOp } from '../../src/abi/index.ts';
import { at, dwordOf, registers, wordOf } from '../support/assembler/operands.ts';
import { Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel } from '../support/guest/kernel.ts';

const { rax, eax } = registers;
const SELF = DomidReserved.DOMID_SELF;

/** rax = the status field at `offset` of a record, sign-extended. */
function status(k: Kernel, record: string, offset: number): void {
  k.movzx(rax, wordOf(at(record, offset)));
  k.shl(rax, 48);
  k.bytes(0x48, 0xc1, 0xf8, 48); // sar $48,%rax
}

guestTest('grant table: its frames are told, bounded, and belong to the domain', (k) => {
  k.page('frames');
  k.page('grants');
  const size = k.record(16, [2, 0, SELF]);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_query_size, size, 1);
  k.expect('query_size', 0);
  status(k, size, 12);
  k.expect('its status', GntStatus.GNTST_okay);
  const setup = k.record(24, [2, 0, SELF], [4, 4, 2], [8, 16, 'frames']);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_setup_table, setup, 1);
  k.expect('setup_table', 0);
  status(k, setup, 8);
  k.expect('its status', GntStatus.GNTST_okay);
  k.mov(rax, at('frames'));
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  k.updateVaMapping('grants', rax);
  k.expect('mapping a frame of it', 0);
  k.mov(dwordOf(at('grants', 64)), 0);
  // A frame of it is not memory: it becomes no page table, and is not given back.
  k.mmuext(0, at('frames'));
  k.expectRefusal('pinning it');
  k.set(k.cell('extent'), at('frames'));
  k.hypercall('memory_op', 1, k.record(32, [8, 0, 'cell.extent'], [8, 8, 1], [2, 24, SELF]));
  k.expectOneOf('giving it back', 0, 1);
  k.mov(dwordOf(at('grants', 72)), 0);
  k.set(dwordOf(at(setup, 4)), 1_000_000);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_setup_table, setup, 1);
  k.expectOneOf('setup_table of a million frames', 0, -22);
  status(k, setup, 8);
  k.expectRefusal('its status');
});

guestTest('grant table: only version 1 of the layout, and only what a domain may do', (k) => {
  const version = k.record(8, [4, 0, 1]);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_set_version, version, 1);
  k.expect('set_version 1', 0);
  k.set(dwordOf(at(version)), 3);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_set_version, version, 1);
  k.expectRefusal('set_version 3');
  const get = k.record(8, [2, 0, SELF]);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_get_version, get, 1);
  k.expect('get_version', 0);
  k.mov(eax, dwordOf(at(get, 4)));
  k.expect('the version', 1);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_dump_table, k.record(8, [2, 0, SELF]), 1);
  k.expectRefusal('dump_table');
  k.page('page');
  k.mfn('page');
  const transfer = k.record(24, [8, 0, rax], [2, 8, 0], [4, 12, 8]);
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_transfer, transfer, 1);
  k.keep('result');
  status(k, transfer, 16);
  k.or(rax, k.cell('result'));
  k.expectRefusal('a transfer to domain 0');
  k.mov(at('page'), 1);
  k.hypercall('grant_table_op', 99, 'page', 1);
  k.expectRefusal('an operation that does not exist');
  k.hypercall('grant_table_op', GnttabOp.GNTTABOP_map_grant_ref, 'page', 0xffffffff);
  k.expectRefusal('4 G mappings');
});
