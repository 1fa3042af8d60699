// Builds a WebAssembly module: types, imported functions and memories, functions, exports.

import { Bytes } from './bytes.ts';
import type { FunctionBuilder } from './function-builder.ts';
import type { ValueTypeCode } from './instructions.ts';

/** Name of the one import module. */
export const IMPORT_MODULE = 'e';

const KIND_FUNCTION = 0;
const KIND_TABLE = 1;
const KIND_MEMORY = 2;
const FUNCTION_REFERENCE = 0x70;
const SHARED_WITH_MAXIMUM = 3;
const UNSHARED_WITH_MAXIMUM = 1;
const FUNCTION_TYPE = 0x60;
const CUSTOM_SECTION = 0;
const UNLIKELY = 0;

/** Limits of a memory import, in WebAssembly pages. */
export interface MemoryLimits {
  initial: number;
  maximum: number;
  shared: boolean;
}

/** A module in the making. Imports come before functions: indices are final when they are given out. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: Uint8Array[] = [];
  readonly #imports: { name: string; kind: number; description: Bytes }[] = [];
  readonly #functions: { type: number; builder: FunctionBuilder }[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  #tableSize = 0;
  #nrImportedFunctions = 0;

  /** Index of a function type, made when it is new. */
  type(parameters: readonly ValueTypeCode[], results: readonly ValueTypeCode[]): number {
    const key = `${parameters.join()}>${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new Bytes();
    bytes.byte(FUNCTION_TYPE);
    for (const list of [parameters, results]) {
      bytes.unsigned(list.length);
      for (const type of list) bytes.byte(type);
    }
    this.#typeBytes.push(bytes.view());
    return this.#types.push(key) - 1;
  }

  /** Imports a function and returns its index. */
  importFunction(name: string, parameters: readonly ValueTypeCode[], results: readonly ValueTypeCode[]): number {
    const description = new Bytes();
    description.unsigned(this.type(parameters, results));
    this.#imports.push({ name, kind: KIND_FUNCTION, description });
    return this.#nrImportedFunctions++;
  }

  /** Names of the imported functions, by index. */
  get importedFunctions(): readonly string[] {
    return this.#imports.filter(({ kind }) => kind === KIND_FUNCTION).map(({ name }) => name);
  }

  /** Imports a memory; the first import is memory 0. */
  importMemory(name: string, limits: MemoryLimits): void {
    const description = new Bytes();
    description.byte(limits.shared ? SHARED_WITH_MAXIMUM : UNSHARED_WITH_MAXIMUM);
    description.unsigned(limits.initial);
    description.unsigned(limits.maximum);
    this.#imports.push({ name, kind: KIND_MEMORY, description });
  }

  /** Imports a table of functions with exactly `size` places; it is table 0. */
  importTable(name: string, size: number): void {
    const description = new Bytes();
    description.byte(FUNCTION_REFERENCE);
    description.byte(UNSHARED_WITH_MAXIMUM);
    description.unsigned(size);
    description.unsigned(size);
    this.#imports.push({ name, kind: KIND_TABLE, description });
  }

  /** Makes and exports the table of functions, table 0, with exactly `size` places. */
  exportTable(name: string, size: number): void {
    this.#tableSize = size;
    this.#exports.push({ name, kind: KIND_TABLE, index: 0 });
  }

  /** Adds a function and returns its index; its body may still grow until `encode`. */
  addFunction(type: number, builder: FunctionBuilder): number {
    this.#functions.push({ type, builder });
    return this.#nrImportedFunctions + this.#functions.length - 1;
  }

  exportFunction(name: string, index: number): void {
    this.#exports.push({ name, kind: KIND_FUNCTION, index });
  }

  /** The binary module. */
  encode(): Uint8Array<ArrayBuffer> {
    const out = new Bytes();
    out.append(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const section = (id: number, items: number, write: (bytes: Bytes) => void): void => {
      const bytes = new Bytes();
      bytes.unsigned(items);
      write(bytes);
      out.byte(id);
      out.unsigned(bytes.length);
      out.append(bytes.view());
    };
    section(1, this.#typeBytes.length, (bytes) => {
      for (const type of this.#typeBytes) bytes.append(type);
    });
    section(2, this.#imports.length, (bytes) => {
      for (const item of this.#imports) {
        bytes.name(IMPORT_MODULE);
        bytes.name(item.name);
        bytes.byte(item.kind);
        bytes.append(item.description.view());
      }
    });
    section(3, this.#functions.length, (bytes) => {
      for (const item of this.#functions) bytes.unsigned(item.type);
    });
    if (this.#tableSize > 0)
      section(4, 1, (bytes) => {
        bytes.byte(FUNCTION_REFERENCE);
        bytes.byte(UNSHARED_WITH_MAXIMUM);
        bytes.unsigned(this.#tableSize);
        bytes.unsigned(this.#tableSize);
      });
    section(7, this.#exports.length, (bytes) => {
      for (const item of this.#exports) {
        bytes.name(item.name);
        bytes.byte(item.kind);
        bytes.unsigned(item.index);
      }
    });
    this.#appendHints(out);
    section(10, this.#functions.length, (bytes) => {
      for (const item of this.#functions) {
        const body = item.builder.body();
        bytes.unsigned(body.length);
        bytes.append(body);
      }
    });
    return out.view().slice();
  }

  /** The section `metadata.code.branch_hint`: engines that do not know it pass over it. */
  #appendHints(out: Bytes): void {
    const bytes = new Bytes();
    bytes.name('metadata.code.branch_hint');
    const hinted = this.#functions
      .map(({ builder }, number) => ({ index: this.#nrImportedFunctions + number, offsets: builder.unlikelyOffsets() }))
      .filter(({ offsets }) => offsets.length > 0);
    if (hinted.length === 0) return;
    bytes.unsigned(hinted.length);
    for (const { index, offsets } of hinted) {
      bytes.unsigned(index);
      bytes.unsigned(offsets.length);
      for (const offset of offsets) {
        bytes.unsigned(offset);
        bytes.byte(1); // bytes of the hint
        bytes.byte(UNLIKELY);
      }
    }
    out.byte(CUSTOM_SECTION);
    out.unsigned(bytes.length);
    out.append(bytes.view());
  }
}
