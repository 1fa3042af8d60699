// Runtime helpers of SSE instructions that are too involved for WebAssembly SIMD, and of FXSAVE and
// FXRSTOR, whose image passes through the engine's buffer at `Word.FX_IMAGE` (slot `a`): lowering stores it
// after the helper or loads it before.

import type { NamedHelper } from './helper-table.ts';
import { compareStrings } from './simd-string-compare.ts';
import type { Helper, StateView } from './state.ts';
import { fxrstorImage, fxsaveImage } from './x87/fxsave-image.ts';

/** SIMD helpers in the order of their numbers. */
export const SIMD_HELPERS: readonly NamedHelper[] = [
  ['simd.mpsadbw', sumsOfDifferences],
  ['simd.phminposuw', minimumWord],
  ['simd.pcmpestrm', stringCompare(true, false)],
  ['simd.pcmpestri', stringCompare(true, true)],
  ['simd.pcmpistrm', stringCompare(false, false)],
  ['simd.pcmpistri', stringCompare(false, true)],
  ['simd.fxsave', saveImage],
  ['simd.fxrstor', restoreImage],
];

/** imm: bit 2 is the 4-byte block of a to start at, bits 0 and 1 the block of b that is compared with. */
function sumsOfDifferences(s: StateView, a: number, b: number, imm: number): number {
  const left = a + ((imm >> 2) & 1) * 4;
  const right = b + (imm & 3) * 4;
  const sums: number[] = [];
  for (let word = 0; word < 8; word++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) sum += Math.abs(s.u8[left + word + k] - s.u8[right + k]);
    sums.push(sum);
  }
  sums.forEach((sum, word) => {
    s.u16[(a >> 1) + word] = sum;
  });
  return 0;
}

/** The smallest word of b and its first place go to words 0 and 1 of a. */
function minimumWord(s: StateView, a: number, b: number): number {
  let place = 0;
  for (let word = 1; word < 8; word++) {
    if (s.u16[(b >> 1) + word] < s.u16[(b >> 1) + place]) place = word;
  }
  const smallest = s.u16[(b >> 1) + place];
  s.u64[a >> 3] = BigInt(smallest | (place << 16));
  s.u64[(a >> 3) + 1] = 0n;
  return 0;
}

function stringCompare(explicit: boolean, index: boolean): Helper {
  return (s, a, b, imm) => compareStrings(s, a, b, imm, explicit, index);
}

/** imm: 1 with REX.W. */
function saveImage(s: StateView, a: number, _b: number, imm: number): number {
  fxsaveImage(s, s.view, a, imm !== 0);
  return 0;
}

/** imm: 1 with REX.W. */
function restoreImage(s: StateView, a: number, _b: number, imm: number): number {
  return fxrstorImage(s, s.view, a, imm !== 0);
}
