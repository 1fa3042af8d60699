// console_io: the hypervisor's own console, which guests use before they have one of theirs.

import { ConsoleIo, Errno } from '../../../abi/index.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import { CONTINUE, type HypercallArgs } from '../arguments.ts';

/** Bytes that one entry writes at most. */
const CHUNK = 2048;

/** console_io(cmd, count, buffer) */
export function consoleIo(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const count = args.int(1);
  switch (args.int(0)) {
    case ConsoleIo.CONSOLEIO_write: {
      if (pcpu.console === undefined) return -Errno.EPERM;
      if (count < 0) return -Errno.EINVAL;
      const length = Math.min(count, CHUNK);
      if (length === 0) return 0;
      if (!pcpu.access.copyIn(vcpu, args.vaddr(2), pcpu.request, length)) return -Errno.EFAULT;
      pcpu.console.write(vcpu.domain.domid, pcpu.request.u8.subarray(0, length));
      if (length === count) return 0;
      args.set(1, count - length);
      args.advance(2, length);
      return CONTINUE;
    }
    case ConsoleIo.CONSOLEIO_read:
      return 0; // nobody types there
    default:
      return -Errno.ENOSYS;
  }
}
