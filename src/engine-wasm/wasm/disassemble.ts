// Reads the body of a WebAssembly function back: instructions with their operands and names as the text format
// has them, derived from the same tables that the builder emits from. For dumps; not for hot paths.
// WebAssembly core specification, sections 5.4 (instructions) and 6.5 (text format).

import { C, EMPTY_TYPE, L, M, MULTI_MEMORY_FLAG, ValueType, W } from './instructions.ts';

/** One instruction. */
export interface WasmInstruction {
  /** Offset in the body. */
  readonly at: number;
  /** Code, as in `W`, `M`, `L` and `C`. */
  readonly code: number;
  /** Name in the text format. */
  readonly name: string;
  /**
   * Operands: of loads and stores the memory and the offset; of `block`, `loop` and `if` the type of the result or
   * nothing; of the others as the text format has them.
   */
  readonly operands: readonly (number | bigint | string)[];
}

/** A body: local variables and instructions, the final `end` left out. */
export interface WasmBody {
  /** Types of the local variables behind the parameters. */
  readonly locals: readonly string[];
  readonly instructions: readonly WasmInstruction[];
}

type Operands = (reader: Reader) => (number | bigint | string)[];

const PREFIXES = [0xfc, 0xfd];
const TYPE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ValueType).map(([name, code]) => [code, name]));

/** Bytes of a body with a place in them. */
class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.at++] ?? 0;
  }

  unsigned(): number {
    return Number(BigInt.asUintN(32, this.#leb()[0]));
  }

  signed(bits: 32 | 64): bigint {
    const [value, length] = this.#leb();
    return BigInt.asIntN(bits, BigInt.asIntN(length, value));
  }

  #leb(): [value: bigint, bits: number] {
    let value = 0n;
    for (let bits = 0; ;) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(bits);
      bits += 7;
      if ((byte & 0x80) === 0 || this.isAtEnd) return [value, bits];
    }
  }
}

const plain: Operands = () => [];
const index: Operands = (reader) => [reader.unsigned()];
const blockType: Operands = (reader) => {
  const type = reader.byte();
  return type === EMPTY_TYPE ? [] : [TYPE_NAMES.get(type) ?? `type ${type}`];
};
const sixteenBytes: Operands = (reader) => Array.from({ length: 16 }, () => reader.byte());
const memory: Operands = (reader) => {
  const alignment = reader.unsigned();
  return [(alignment & MULTI_MEMORY_FLAG) === 0 ? 0 : reader.unsigned(), reader.unsigned()];
};

const WITH_OPERANDS: Readonly<Record<keyof typeof C, Operands>> = {
  block: blockType,
  loop: blockType,
  if: blockType,
  br: index,
  brIf: index,
  brTable: (reader) => Array.from({ length: reader.unsigned() + 1 }, () => reader.unsigned()),
  call: index,
  callIndirect: (reader) => [reader.unsigned(), reader.unsigned()],
  localGet: index,
  localSet: index,
  localTee: index,
  i32Const: (reader) => [Number(reader.signed(32))],
  i64Const: (reader) => [reader.signed(64)],
  v128Const: sixteenBytes,
  i8x16Shuffle: sixteenBytes,
};

/** What is known of an instruction by its code. */
const KNOWN: ReadonlyMap<number, { readonly name: string; readonly operands: Operands }> = new Map([
  ...rows(W, () => plain),
  ...rows(M, () => memory),
  ...rows(L, () => (reader: Reader) => [reader.byte()]),
  ...rows(C, (key) => WITH_OPERANDS[key]),
]);

/** Reads a body as `FunctionBuilder.body` makes it. */
export function readBody(bytes: Uint8Array): WasmBody {
  const reader = new Reader(bytes);
  const locals: string[] = [];
  for (let runs = reader.unsigned(); runs > 0; runs--) {
    const count = reader.unsigned();
    const type = TYPE_NAMES.get(reader.byte()) ?? '?';
    for (let n = 0; n < count; n++) locals.push(type);
  }
  const instructions: WasmInstruction[] = [];
  while (!reader.isAtEnd) instructions.push(readInstruction(reader));
  return { locals, instructions: instructions.slice(0, -1) };
}

function readInstruction(reader: Reader): WasmInstruction {
  const { at } = reader;
  const first = reader.byte();
  const code = PREFIXES.includes(first) ? first * 256 + reader.unsigned() : first;
  const known = KNOWN.get(code);
  if (known === undefined) return { at, code, name: `unknown instruction 0x${code.toString(16)}`, operands: [] };
  return { at, code, name: known.name, operands: known.operands(reader) };
}

function rows<Key extends string>(
  table: Readonly<Record<Key, number>>,
  operands: (key: Key) => Operands,
): [number, { name: string; operands: Operands }][] {
  return Object.keys(table).map((name) => {
    const key = name as Key; // the keys of the table
    return [table[key], { name: textName(name), operands: operands(key) }];
  });
}

/** `i64ShrU` is `i64.shr_u`, `i32x4TruncSatF32x4S` is `i32x4.trunc_sat_f32x4_s`, `brIf` is `br_if`. */
function textName(key: string): string {
  const [, type = '', rest = ''] =
    /^((?:[if](?:8|16|32|64)(?:x\d+)?|v128|local|memory|table|global)(?=[A-Z]))?(.*)$/.exec(key) ?? [];
  const words = rest.replaceAll(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
  return type === '' ? words : `${type}.${words}`;
}
