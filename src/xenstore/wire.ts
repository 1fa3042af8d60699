// Messages of the wire protocol as bytes, and the strings in their payloads. Text has one character per byte: what a
// guest sends need not be any known encoding and comes back to it unchanged. Layout: src/abi/xs-wire.ts.

import { XSD_SOCKMSG, XSD_SOCKMSG_SIZE } from '../abi/index.ts';

/** The header of a message; every field is a u32 and, from a guest, any u32. */
export interface MessageHeader {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  /** Bytes of payload that follow. */
  readonly length: number;
}

/** Reads a header from its 16 bytes. */
export function decodeHeader(bytes: Uint8Array): MessageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, XSD_SOCKMSG_SIZE);
  return {
    type: view.getUint32(XSD_SOCKMSG.type, true),
    reqId: view.getUint32(XSD_SOCKMSG.req_id, true),
    txId: view.getUint32(XSD_SOCKMSG.tx_id, true),
    length: view.getUint32(XSD_SOCKMSG.len, true),
  };
}

/** Makes a message of its type, the ids to echo and the payload. */
export function encodeMessage(type: number, reqId: number, txId: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(XSD_SOCKMSG_SIZE + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(XSD_SOCKMSG.type, type, true);
  view.setUint32(XSD_SOCKMSG.req_id, reqId, true);
  view.setUint32(XSD_SOCKMSG.tx_id, txId, true);
  view.setUint32(XSD_SOCKMSG.len, payload.length, true);
  bytes.set(payload, XSD_SOCKMSG_SIZE);
  return bytes;
}

/** Bytes as text, one character each. */
export function textOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Text as bytes, the reverse of `textOf`. Characters above 0xff keep their low byte. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Strings with a NUL behind each, the form of most payloads. */
export function packStrings(strings: readonly string[]): Uint8Array {
  return bytesOf(strings.map((text) => `${text}\0`).join(''));
}

/** The NUL-terminated strings of a payload; bytes after the last NUL are ignored. */
export function unpackStrings(payload: Uint8Array): string[] {
  return textOf(payload).split('\0').slice(0, -1);
}

/** The payload as one string with its NUL at the very end; undefined if it has another form. */
export function unpackString(payload: Uint8Array): string | undefined {
  return payload.indexOf(0) === payload.length - 1 && payload.length > 0 ? textOf(payload.subarray(0, -1)) : undefined;
}

/** The number that a decimal text starts with, as C's atoi reads it, taken as u32; 0 if it starts with none. */
export function leadingNumber(text: string): number {
  return Number(/^\s*([-+]?\d+)/.exec(text)?.[1] ?? 0) >>> 0;
}
