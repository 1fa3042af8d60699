// What `--dump-ir` and `--dump-wasm` take: a place in guest code, and maybe the file to print to. Called by arguments.ts.

import type { DumpConfig } from './ports.ts';

const ADDRESS = /^(?:0x([0-9a-f]{1,16})|([0-9a-f]{8,16}))$/i;
const SYMBOL = /^([A-Za-z_.$][\w.$]*)(?:\+(0x[0-9a-fA-F]{1,8}|\d{1,9}))?$/;
const ADDRESS_BITS = 48;

/** Reads PLACE or PLACE=FILE. @returns the line that says what is wrong with it, without the option's name */
export function parseDump(form: DumpConfig['form'], word: string): DumpConfig | string {
  const split = word.indexOf('=');
  const text = split < 0 ? word : word.slice(0, split);
  const file = split < 0 ? undefined : word.slice(split + 1);
  if (file === '') return `takes the name of a file behind '${text}='`;
  const place = parsePlace(text);
  if (place === undefined)
    return `takes an address such as 0xffffffff81000000 or a symbol such as schedule+0x10, not '${text}'`;
  return { form, place, ...(file !== undefined && { file }) };
}

function parsePlace(text: string): DumpConfig['place'] | undefined {
  const address = ADDRESS.exec(text);
  if (address !== null) {
    const value = BigInt(`0x${address[1] ?? address[2] ?? ''}`);
    return BigInt.asUintN(64, BigInt.asIntN(ADDRESS_BITS, value)) === value ? { address: value } : undefined;
  }
  const symbol = SYMBOL.exec(text);
  return symbol === null ? undefined : { symbol: symbol[1] ?? '', offset: Number(symbol[2] ?? 0) };
}
