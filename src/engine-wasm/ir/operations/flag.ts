// Operations on single flags, without operands: clc, stc, cmc, cld, std. Intel SDM vol. 2A.

import { Cpu, Rflags } from '../../../engine/index.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';

/** Operations of this family. */
export function flagOperations(): Operation[] {
  const list: Operation[] = [];
  const add = (name: string, word: number, code: number, mask: number): void => {
    list.push({ name, kind: 'plain', emit: (e) => emitChange(e, word, code, mask) });
  };
  add('clc', Cpu.FLAG_AUX, W.i32And, ~Rflags.CF);
  add('stc', Cpu.FLAG_AUX, W.i32Or, Rflags.CF);
  add('cmc', Cpu.FLAG_AUX, W.i32Xor, Rflags.CF);
  add('cld', Cpu.FLAG_SYSTEM, W.i32And, ~Rflags.DF);
  add('std', Cpu.FLAG_SYSTEM, W.i32Or, Rflags.DF);
  return list;
}

function emitChange(e: OpEmitter, word: number, code: number, mask: number): void {
  e.writeState(word, M.i32Store, () => {
    e.readState(word, M.i32Load);
    e.f.i32(mask).op(code);
  });
}
