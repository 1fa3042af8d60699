// Prints messages for `--trace store`, in the form of the reference daemon's own trace: `IN READ (memory/target )`,
// with NUL shown as a space. Everything in a message is a guest's, so what could upset a terminal is escaped.

import { XS_TYPE } from '../abi/index.ts';
import type { Domid } from '../base/index.ts';
import { textOf } from './wire.ts';

/**
 * Takes one line for each message that a domain sent (`IN`) or was sent (`OUT`). Called when a request is taken from the ring
 * and when the last byte of a reply or event is put there.
 */
export type StoreTracer = (domid: Domid, line: string) => void;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(XS_TYPE).map(([name, type]) => [type, name.replace('XS_', '')]),
);

/** One line that shows a message. */
export function traceLine(direction: 'IN' | 'OUT', type: number, payload: Uint8Array): string {
  return `${direction} ${NAMES.get(type) ?? `type ${type}`} (${printable(textOf(payload))})`;
}

/** Text that is safe to print: NUL is a space, other control characters and everything beyond ASCII are `\xNN`. */
export function printable(text: string): string {
  return text.replaceAll('\0', ' ').replaceAll(/[^ -~]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
