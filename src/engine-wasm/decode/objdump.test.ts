// Compares the decoder and the disassembler with GNU objdump, on the code of programs of this machine and
// on random bytes. objdump is part of binutils, which the tests need.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { createInstruction, decode, Decoded } from './decode.ts';
import { disassemble } from './disassemble.ts';
import { ROWS } from './table.ts';
import { INTEGER_ROWS } from './table-integer.ts';

interface Line {
  readonly address: number;
  readonly bytes: readonly number[];
  readonly text: string;
}

/** What objdump says about a file, one instruction at a time. */
function objdump(options: readonly string[], file: string): Line[] {
  const output = execFileSync('objdump', ['-w', '-M', 'intel,intel64', '--insn-width=16', ...options, file], {
    maxBuffer: 2 ** 30,
    encoding: 'latin1',
  });
  const lines: Line[] = [];
  for (const line of output.split('\n')) {
    const match = /^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t(.*)$/.exec(line);
    if (match === null) continue;
    const [, address = '', bytes = '', text = ''] = match;
    lines.push({
      address: Number.parseInt(address, 16),
      bytes: bytes
        .trim()
        .split(' ')
        .map((b) => Number.parseInt(b, 16)),
      text,
    });
  }
  return lines;
}

/** Extensions that the virtual CPU does not have, and instructions that are meant to be #UD. */
const HIDDEN = new RegExp(
  '^(v|k|xop|ud[012]|(bl|bz|sarx|shlx|shrx|rorx|andn|bextr|pdep|pext|mulx|ad[oc]x|movbe|tpause|umonitor|umwait|' +
    'x(crypt\\S*|test|begin|abort|end|save|rstor|getbv|setbv|susldtrk|resldtrk)|rdpkru|wrpkru|rdrand|rdseed|rdtscp|rdpid|(rd|wr)[fg]sbase|' +
    'monitor|mwait|clac|stac|clwb|clflushopt|cldemote|serialize|invpcid|enc|pconfig|wbnoinvd|rsm|getsec|ptwrite|movdir|rdssp|incssp|' +
    'setssbsy|saveprev|rstorssp|wrss|wruss|clrssbsy|aes|sha|pclmul|gf2p8|invept|invvpid|loadiwkey|hreset|seam|tdcall|clui|stui|testui|' +
    'uiret|senduipi|llwpcb|slwpcb|lwp|movrs|t1mskc|tzmsk|femms|pf(rcp|rsq|acc|add|max|min|mul|sub|cmp|nacc|pnacc)|pi2f|pf2i|pswapd|' +
    'pmulhrw$|pavgusb|frstpm|fsetpm|ffreep|fnsetpm|(f(n)?(eni|disi)))|insertq|extrq|movnts[sd]|bndm|skinit|stgi|clgi|invlpga|vm)',
);

function isHidden(text: string): boolean {
  return HIDDEN.test(
    text.replace(/^((data16|addr32|bnd|notrack|lock|rep|repz|repnz|[c-gs]s|rex\S*|xacquire|xrelease|fwait) )+/, ''),
  );
}

/** Takes away what objdump writes differently on purpose: comments, symbols, prefixes without a meaning, aliases. */
function normalise(text: string): string {
  let plain = text
    .replace(/\s+#.*$/, '')
    .replace(/ <.*$/, '')
    .replace(/^((bnd|notrack|data16|addr32|[c-gs]s|rex\S*|xacquire|xrelease|repz (?=ret)) *)+/, '')
    .replace(/\s+/g, ' ')
    .replace('tzcnt ', 'bsf ')
    .replace('lzcnt ', 'bsr ')
    .trim();
  if (plain === 'xchg ax,ax') plain = 'nop';
  if (/^(j|call |loop)/.test(plain)) plain = plain.replace(/ ([0-9a-f]+)$/, ' 0x$1');
  return plain.replace(
    /\[rip\+0xffffffff([0-9a-f]{8})\]/,
    (_, low: string) => `[rip-0x${(2 ** 32 - Number.parseInt(low, 16)).toString(16)}]`,
  );
}

const PROGRAMS = ['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/libc.so.6', '/bin/bash', '/bin/ls', '/bin/busybox'];

test('decoder: agrees with objdump on every instruction of a real program', () => {
  const file = PROGRAMS.find((name) => existsSync(name)) ?? assert.fail(`none of ${PROGRAMS.join()} is there`);
  const instruction = createInstruction();
  const buffer = new Uint8Array(64);
  const lines = objdump(['-d'], file);
  assert.ok(lines.length > 10_000, `objdump finds code in ${file}`);
  const differences: string[] = [];
  for (const { address, bytes, text } of lines) {
    buffer.fill(0x90);
    buffer.set(bytes);
    const offset = address % 4096;
    const outcome = decode(buffer, 0, 32, offset, instruction);
    let problem = '';
    if (outcome !== Decoded.OK) {
      if (!isHidden(text) && !text.includes('(bad)')) problem = 'refused';
    } else if (instruction.length !== bytes.length) {
      problem = `length ${instruction.length}`;
    } else if (instruction.row.id <= nrIntegerRows) {
      const ours = disassemble(instruction, address - offset);
      if (ours !== normalise(text)) problem = ours;
    }
    if (problem !== '') differences.push(`${address.toString(16)}: ${text}: ${problem}`);
  }
  assert.deepEqual(differences.slice(0, 10), [], file);
});

/** Rows whose text is compared: the general-purpose ones, which come first. */
const nrIntegerRows = ROWS.findIndex((row) => row.mnemonic === 'STD');

test('decoder: the first rows are those of the integer table', () => {
  assert.ok(nrIntegerRows > INTEGER_ROWS.length);
});

test('decoder: accepts random bytes only where objdump does, with the same length', () => {
  const directory = mkdtempSync(join(tmpdir(), 'zendo-decode-'));
  try {
    const seed = Number(process.env['SEED'] ?? 1);
    const bytes = randomCode(seed, 200_000);
    const file = join(directory, 'code.bin');
    writeFileSync(file, bytes);
    const instruction = createInstruction();
    for (const line of objdump(['-D', '-b', 'binary', '-m', 'i386:x86-64'], file)) {
      const outcome = decode(bytes, line.address, bytes.length, 0, instruction);
      const where = `seed ${seed}, at ${line.address.toString(16)}: ${line.bytes.map((byte) => byte.toString(16)).join(' ')} ${line.text} (${instruction.row.mnemonic})`;
      if (instruction.row.mnemonic === 'FWAIT') continue; // a prefix of the next instruction to objdump
      // objdump shows a prefix that has no effect as an instruction of its own
      if (/^(?:(?:rex\S*|data16|[c-gs]s|lock|repz|repnz|rep|addr32|fwait)\s*)+$/.test(line.text)) continue;
      if (line.text.includes('(bad)')) {
        const known = outcome !== Decoded.OK || acceptedBeyondObjdump(instruction.row.mnemonic);
        assert.ok(known, `accepted: ${where}`);
      } else if (outcome === Decoded.OK) {
        assert.equal(instruction.length, line.bytes.length, `length: ${where}`);
      } else {
        // lock and mandatory prefixes are #UD where the manual does not allow them; mov to cr and dr ignores mod, which nobody uses
        const strict = line.bytes.some((byte) => [0x66, 0xf0, 0xf2, 0xf3].includes(byte)) || /[cd]r\d/.test(line.text);
        assert.ok(isHidden(line.text) || strict, `refused: ${where}`);
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** Prefixes that hardware ignores, hints, and second encodings of x87 instructions, which objdump calls bad. */
function acceptedBeyondObjdump(mnemonic: string): boolean {
  return ['NOP', 'BSF', 'BSR', 'MFENCE', 'LFENCE', 'SFENCE', 'FCOM', 'FCOMP', 'FXCH', 'FSTP', 'WBINVD'].includes(
    mnemonic,
  );
}

/** Bytes that are more often instructions than random ones are. */
function randomCode(seed: number, length: number): Uint8Array {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  const prefixes = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x40, 0x48, 0x41, 0x4f, 0x64, 0x65, 0x2e, 0x3e];
  const bytes: number[] = [];
  while (bytes.length < length) {
    while (next() % 4 === 0) bytes.push(prefixes[next() % prefixes.length] ?? 0);
    if (next() % 2 === 0) bytes.push(0x0f);
    for (let n = 0; n < 14; n++) bytes.push(next() & 0xff);
  }
  for (let n = 0; n < 16; n++) bytes.push(0x90);
  return Uint8Array.from(bytes);
}
