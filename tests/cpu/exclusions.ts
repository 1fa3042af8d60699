// Rows without vectors, with the reason. Everything else must have recorded cases.

import type { NamedRow } from './row-list.ts';

const EXIT = 'leaves the engine for the hypervisor, which decides what it does';
const PRIVILEGED = 'needs privileges that a recorder at user level does not have';
const MADE_UP = 'the host forbids it to user programs, or makes up the result';

const REASONS: readonly (readonly [reason: string, mnemonics: string])[] = [
  [EXIT, 'SYSCALL SYSENTER INT CPUID XGETBV IRET RETF CALLF JMPF LSS LFS LGS LAR LSL VERR VERW'],
  [PRIVILEGED, 'SYSRET SYSEXIT RDMSR WRMSR RDPMC LLDT LTR LGDT LIDT LMSW INVLPG SWAPGS CLTS INVD WBINVD HLT CLI STI'],
  [PRIVILEGED, 'IN OUT INS OUTS XSETBV RSM'],
  [MADE_UP, 'SGDT SIDT SLDT STR SMSW'],
  ['the result is the time', 'RDTSC RDTSCP'],
  ['every case ends with it', 'INT3'],
];

const REASON_OF: ReadonlyMap<string, string> = new Map(
  REASONS.flatMap(([reason, mnemonics]) => mnemonics.split(' ').map((mnemonic) => [mnemonic, reason] as const)),
);

/** Why a row has no vectors; undefined when it must have some. */
export function exclusionOf({ row, text }: NamedRow): string | undefined {
  if (/MOV Sw|POP [FG]S/.test(text)) return EXIT;
  return /MOV (Rq|Cq|Dq)/.test(text) ? PRIVILEGED : REASON_OF.get(row.mnemonic);
}
