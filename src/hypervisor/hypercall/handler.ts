// The shape of every hypercall handler, and the helpers that most of them need.

import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import type { HypercallArgs } from './arguments.ts';

/**
 * Carries out one hypercall of the running vCPU, which is in kernel mode.
 * @returns 0 or more, a negated errno (both exact below 2^53), `CONTINUE` or `NO_RESULT`
 */
export type Handler = (pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs) => number;
