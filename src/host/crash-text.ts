// The report of a crashed domain as text for people: why, registers of every vCPU, stack and code, with
// addresses named from the kernel's own symbol table where it has one.

import type { CrashReport, VcpuReport } from '../hypervisor/index.ts';
import type { Kallsyms } from '../toolstack/index.ts';
import { GENERAL_REGISTER_NAMES, SEGMENT_REGISTER_NAMES } from '../x86/index.ts';

const PER_LINE = 4;

/** The report, several lines with line ends. @param symbols - the kernel's, when it has any */
export function crashText(report: CrashReport, symbols: Kallsyms | undefined): string {
  const where = report.vcpu === undefined ? '' : ` on vCPU ${report.vcpu}`;
  const lines = [`domain ${report.domid} (${report.name}) crashed${where}: ${report.reason}`];
  for (const vcpu of report.vcpus) lines.push('', ...vcpuLines(vcpu, symbols));
  return `${lines.join('\n')}\n`;
}

function vcpuLines(vcpu: VcpuReport, symbols: Kallsyms | undefined): string[] {
  const mode = vcpu.kernelMode ? 'guest kernel' : 'guest user';
  const lines = [
    `vCPU ${vcpu.id}: ${vcpu.online ? 'up' : 'down'}, ${mode} mode`,
    `  rip ${hex(vcpu.rip)}${symbolOf(vcpu.rip, symbols)}  rflags ${vcpu.rflags.toString(16).padStart(8, '0')}`,
  ];
  for (let i = 0; i < GENERAL_REGISTER_NAMES.length; i += PER_LINE) {
    lines.push(
      `  ${GENERAL_REGISTER_NAMES.slice(i, i + PER_LINE)
        .map((name, n) => `${name.padEnd(3)} ${hex(vcpu.gpr[i + n] ?? 0n)}`)
        .join('  ')}`,
    );
  }
  lines.push(
    `  ${SEGMENT_REGISTER_NAMES.map((name, n) => `${name} ${(vcpu.selectors[n] ?? 0).toString(16).padStart(4, '0')}`).join('  ')}`,
  );
  lines.push(`  fs base ${hex(vcpu.fsBase)}  gs base ${hex(vcpu.gsBase)}  other gs base ${hex(vcpu.inactiveGsBase)}`);
  lines.push(
    `  kernel root mfn ${vcpu.kernelRoot.toString(16)}  user root mfn ${vcpu.userRoot.toString(16)}  cr2 ${hex(vcpu.cr2)}`,
  );
  lines.push(
    `  events ${vcpu.upcallPending ? 'pending' : 'not pending'}, ${vcpu.upcallMask ? 'masked' : 'not masked'}`,
  );
  lines.push(`  code ${codeText(vcpu)}`);
  lines.push(...stackLines(vcpu, symbols));
  return lines;
}

/** Code bytes; the one at rip in angle brackets. */
function codeText(vcpu: VcpuReport): string {
  if (vcpu.code.length === 0) return 'cannot be read';
  return vcpu.code.map((byte, i) => (i === vcpu.codeOffset ? `<${hexByte(byte)}>` : hexByte(byte))).join(' ');
}

function stackLines(vcpu: VcpuReport, symbols: Kallsyms | undefined): string[] {
  const rsp = vcpu.gpr[4] ?? 0n;
  if (vcpu.stack.length === 0) return ['  stack cannot be read'];
  return [
    '  stack',
    ...vcpu.stack.map((word, i) => `    ${hex(rsp + BigInt(8 * i))}  ${hex(word)}${symbolOf(word, symbols)}`),
  ];
}

function symbolOf(address: bigint, symbols: Kallsyms | undefined): string {
  const place = symbols?.lookup(address);
  return place === undefined ? '' : ` ${place.name}+0x${place.offset.toString(16)}`;
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
