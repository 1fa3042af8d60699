// How store operations fail: with the name of an errno, because names are what the protocol carries.
// A result is never a plain string otherwise, so `typeof result === 'string'` means "it failed".

import type { XsdError } from '../abi/index.ts';

/** The name of an error, such as 'ENOENT'. */
export type StoreErrno = XsdError;

/** What an operation gives: its value, or the name of the error. `T` must not be a string. */
export type Outcome<T extends object> = T | StoreErrno;

/** Tells whether an operation failed. */
export function failed<T extends object>(outcome: Outcome<T>): outcome is StoreErrno {
  return typeof outcome === 'string';
}
