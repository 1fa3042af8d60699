// Cases of opcodes that are undefined on every processor, whatever it supports: the decoder must not know better.

import { RandomSource, seedOf } from './float-recorder/random-source.ts';
import { InputWriter } from './input.ts';
import { Input, WINDOW_BYTES } from './machine-layout.ts';
import { integer, quietFx } from './operands.ts';

/** Codes by what is wrong with them. */
const CODES: Readonly<Record<string, string>> = {
  'gone in 64-bit mode': '06 07 0e 16 17 1e 1f 27 2f 37 3f 60 61 82c001 82042501 9a00000000 ce d40a d50a ea00000000',
  'without a meaning':
    '0f0b 0fb9c0 0fb900 0fffc0 0fff00 0f04 0f0a 0f0c 0f36 0f3b 0f3c 0f3f 0f24c0 0f26c0 0fa6c0 0fa7c0',
  'reserved extensions of groups': `fed0 fee0 fef8 fff8 ff38 c6c801 c6d001 c7c801000000 8fc8c0 0fbac001 0fbad801 0fc7c0 0fc700 0fc7d0
    0f71c001 0f71d801 0f72f801 0f73c001 0f73e001 660f71c001 660f73e801`,
  'a register where memory must be, or the other way round': `8dc0 488dd9 0fe7c0 660fe7c0 0fc3c0 0f2bc0 f20ff0c0 0f13c0 0f17c0 0fd700
    660f5000 660fc50001 660f12c0 660f16c0 f20fd600 f30fd600 660ff700 ffd8 ffe8 0fb2c0`,
  'prefixes that the opcode does not take': `f30f14c0 f20f14c0 f30f54c0 f30fc6c001 f20f28c0 f30f28c0 f20f6fc0 f30f60c0 f20fefc0
    f20f7fc0 660f52c0 660f53c0 f20f52c0 0f7cc0 0fd0c0 0fe6c0 f30f7cc0 f20f50c0 f30fd7c0`,
  'segment registers that there are not': '8cf0 8cf8 8c30 8ef0 8ec8',
  'reserved x87 codes': `d9d1 d9d7 d9e2 d9e3 d9e6 d9e7 d9ef d908 dae0 dae8 daea daf0 daff dbe5 dbe7 dbf8 dbff db20 db30 ddf0 ddff
    dd28 ded8 deda dedf dfe1 dfe7 dff8 dfff`,
  'three-byte opcodes':
    '0f380cc0 0f3820c0 0f3a08c001 0f3a60c001 f30f3800c0 f20f3800c0 f30f3a0fc001 0f3817c0 660f3818c0',
  'lock where it must not be':
    'f090 f089c0 f08b00 f00fafc0 f03900 f0c20000 f00fa300 f00fbae001 f0d120 f0f7e0 f00f1f00 f0e800000000',
};

/** The cases. */
export function undefinedCases(): Uint8Array {
  const random = new RandomSource(seedOf('undefined opcodes'));
  const codes = Object.values(CODES).flatMap((list) => list.split(/\s+/));
  const inputs = new Uint8Array(codes.length * Input.SIZE);
  codes.forEach((code, n) => {
    const c = new InputWriter(inputs.subarray(n * Input.SIZE, (n + 1) * Input.SIZE));
    for (let r = 0; r < 16; r++) c.setGpr(r, integer(random));
    c.rflags = random.u32() & 0x8d5;
    c.setFx(quietFx());
    c.setData(new Uint8Array(WINDOW_BYTES));
    c.setCode(256 + random.below(2048), [...Buffer.from(code, 'hex')]);
  });
  return inputs;
}
