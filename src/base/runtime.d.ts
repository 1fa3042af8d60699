// The few globals that every target of the pure layers has (Node, browsers, workers) and that the
// ECMAScript library types do not declare. Node's own types declare them in the node layers; web-assembly.d.ts
// has one that they leave out as well.

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array, options?: { stream?: boolean }): string;
}
