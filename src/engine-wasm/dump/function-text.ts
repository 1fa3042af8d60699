// The body of a compiled function as text, much as WebAssembly's text format has it: one instruction a line,
// indented by nesting. Local variables that stand for registers have the registers' names.

import { Cpu } from '../../engine/index.ts';
import { slotName } from '../ir/print.ts';
import { Word } from '../runtime/layout.ts';
import { readBody, type WasmInstruction } from '../wasm/disassemble.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { C, M, W } from '../wasm/instructions.ts';

const STATE_END = Math.max(...Object.values(Word)) + 1;
const MOST_INDENT = 24;

const LOADS: ReadonlySet<number> = new Set([M.i32Load, M.i64Load, M.v128Load]);
const STORES: ReadonlySet<number> = new Set([M.i32Store, M.i64Store, M.v128Store]);
const OPENERS: ReadonlySet<number> = new Set([C.block, C.loop, C.if]);
const BRANCHES: ReadonlySet<number> = new Set([C.br, C.brIf, C.brTable]);
const ACCESSES: ReadonlySet<number> = new Set(Object.values(M));
const LOCALS: ReadonlySet<number> = new Set([C.localGet, C.localSet, C.localTee]);

/**
 * Text of a function, one line an instruction.
 * @param calls - names of the functions that it can call, by index
 * @param comment - lines to put where a mark is, given its tag
 */
export function functionText(
  code: FunctionBuilder,
  calls: readonly string[],
  comment: (tag: number) => readonly string[],
): string[] {
  return new FunctionPrinter(code, calls, comment).print();
}

class FunctionPrinter {
  readonly #code: FunctionBuilder;
  readonly #calls: readonly string[];
  readonly #comment: (tag: number) => readonly string[];
  readonly #names = new Map<number, string>();
  readonly #labels: number[] = [];
  readonly #lines: string[] = [];
  #nrLabels = 0;

  constructor(code: FunctionBuilder, calls: readonly string[], comment: (tag: number) => readonly string[]) {
    this.#code = code;
    this.#calls = calls;
    this.#comment = comment;
  }

  print(): string[] {
    const { marks } = this.#code;
    const { locals, instructions } = readBody(this.#code.body());
    const unlikely = new Set(this.#code.unlikelyOffsets());
    this.#nameLocals(instructions, marks[0]?.at ?? Infinity, marks.at(-1)?.at ?? Infinity);
    const parameters = Array.from({ length: this.#code.nrParameters }, (_, n) => ` (param $${n})`);
    this.#lines.push(`(func${parameters.join('')} (result i32)`, `  (local ${locals.join(' ')})`);
    let mark = 0;
    for (const instruction of instructions) {
      for (; (marks[mark]?.at ?? Infinity) <= instruction.at; mark++)
        for (const line of this.#comment(marks[mark]?.tag ?? 0)) this.#line(`;; ${line}`);
      this.#printOne(instruction, unlikely.has(instruction.at));
    }
    this.#lines.push(')');
    return this.#lines;
  }

  /**
   * Finds out which local variable stands for which register: before the records' code registers are loaded into
   * locals, behind it locals are stored into registers.
   */
  #nameLocals(instructions: readonly WasmInstruction[], begin: number, end: number): void {
    instructions.forEach((instruction, n) => {
      const before = instructions[n - 1];
      if (before === undefined) return;
      if (instruction.at < begin && instruction.code === C.localSet && LOADS.has(before.code))
        this.#name(instruction, before);
      if (instruction.at > end && STORES.has(instruction.code) && before.code === C.localGet)
        this.#name(before, instruction);
    });
  }

  #name(local: WasmInstruction, access: WasmInstruction): void {
    const number = Number(local.operands[0]);
    const [memory, offset] = access.operands;
    const name = stateName(Number(offset));
    if (memory !== 0 || name === undefined || number < this.#code.nrParameters || this.#names.has(number)) return;
    this.#names.set(number, name);
  }

  #printOne(instruction: WasmInstruction, isUnlikely: boolean): void {
    const { code } = instruction;
    const hint = isUnlikely ? '  ;; unlikely' : '';
    if (code === W.end || code === W.else) {
      const label = this.#labels.pop() ?? 0;
      this.#line(code === W.else ? 'else' : `end ;; $${label}`);
      if (code === W.else) this.#labels.push(label);
      return;
    }
    this.#line(`${this.#text(instruction)}${hint}`);
    if (OPENERS.has(code)) this.#labels.push(this.#nrLabels++);
  }

  #text({ code, name, operands }: WasmInstruction): string {
    if (OPENERS.has(code))
      return [name, `$${this.#nrLabels}`, ...operands.map((type) => `(result ${String(type)})`)].join(' ');
    if (BRANCHES.has(code)) return [name, ...operands.map((depth) => this.#label(Number(depth)))].join(' ');
    if (LOCALS.has(code)) return `${name} $${this.#names.get(Number(operands[0])) ?? String(operands[0])}`;
    if (code === C.call) return `${name} $${this.#calls[Number(operands[0])] ?? String(operands[0])}`;
    if (!ACCESSES.has(code)) return [name, ...operands].join(' ');
    const [memory, offset] = operands.map(Number);
    const state = memory === 0 ? stateName(offset ?? 0) : undefined;
    return `${name}${memory === 0 ? '' : ' $machine'}${offset === 0 ? '' : ` offset=${offset}`}${state === undefined ? '' : `  ;; ${state}`}`;
  }

  #label(depth: number): string {
    const label = this.#labels[this.#labels.length - 1 - depth];
    return label === undefined ? '$function' : `$${label}`;
  }

  #line(text: string): void {
    this.#lines.push(' '.repeat(2 * Math.min(this.#labels.length + 1, MOST_INDENT)) + text);
  }
}

/** Name of what lies at an offset of the state block or among the words behind it; undefined further on. */
function stateName(offset: number): string | undefined {
  if (offset >= STATE_END) return undefined;
  const register = slotName(offset);
  if (!register.startsWith('state')) return register;
  const known = [...Object.entries(Cpu), ...Object.entries(Word)].find(([, at]) => at === offset);
  return known?.[0] ?? register;
}
