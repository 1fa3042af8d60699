// The symbols that a kernel carries in itself: names for addresses in crash reports, addresses for names in dumps.

import { VmmError } from '../base/index.ts';
import { findKallsyms, type Kallsyms, unpackKernel } from '../toolstack/index.ts';
import { readHostFile } from './host-file.ts';
import { nodeDecompressor } from './images/decompress.ts';

/** A place in guest code: an address, or a symbol of the kernel and a distance from it in bytes. */
export type CodePlace = { readonly address: bigint } | { readonly symbol: string; readonly offset: number };

/** Symbols of a kernel image; undefined when it carries none. @returns rejects when the file cannot be read or unpacked */
export async function readKernelSymbols(path: string, signal: AbortSignal): Promise<Kallsyms | undefined> {
  return findKallsyms(await unpackKernel(await readHostFile(path, 'kernel', signal), nodeDecompressor));
}

/** Address of a place. @throws VmmError NO_SUCH_SYMBOL */
export function addressOfPlace(place: CodePlace, kernel: string, symbols: Kallsyms | undefined): bigint {
  if ('address' in place) return place.address;
  if (symbols === undefined)
    throw new VmmError(
      'NO_SUCH_SYMBOL',
      `kernel ${kernel} has no symbols: give an address instead of '${place.symbol}'`,
    );
  const address = symbols.find(place.symbol);
  if (address === undefined)
    throw new VmmError('NO_SUCH_SYMBOL', `kernel ${kernel} has no symbol '${place.symbol}': check its spelling`);
  return BigInt.asUintN(64, address + BigInt(place.offset));
}
