// Data for the tests of the decoders: two samples that anybody can make again, and what the xz tool made of
// them. A test compares what a decoder gives with the sample.

/** Text that repeats: 15 600 bytes. */
export function plainText(): Uint8Array {
  return new TextEncoder().encode('The frame table has one entry a frame. '.repeat(400));
}

/**
 * Bytes that look like calls and jumps with a few common targets: 1 200 bytes. Some branch bytes stand close
 * together, so that every path of the x86 filter is taken.
 */
export function branchyCode(): Uint8Array {
  const code = new Uint8Array(1200);
  const view = new DataView(code.buffer);
  let at = 0;
  let random = 1;
  while (at + 16 < code.length) {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    const bits = random >>> 24;
    code[at] = bits & 1 ? 0xe8 : 0xe9;
    view.setInt32(at + 1, 0x1000 + (bits & 7) * 64 - (at + 5), true);
    at += 5;
    code[at++] = 0x90;
    if ((bits & 0x30) === 0) {
      code.set([0xe8, 0xe9, 0x00], at);
      at += 3;
    }
    if ((bits & 0xc0) === 0) {
      code.set([bits, 0xff], at);
      at += 2;
    }
  }
  return code;
}

/** xz streams in base64, made by the xz tool 5.4 from the samples above; its options stand beside each. */
export const XZ_SAMPLES = {
  /** --check=crc64, of the text */
  plain: [
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4DzvAFddACoaCKICyq9YdZE74IxSrrLRwdw+OMVxIIKgVQQgDs8oHF2rfp8drlvrSs0ohEN7',
    'lfIbC/JU9KBxy43NDOw5C9AJf48PWq0yHHF77hNKlzttoJTcusxmlAAARcBNgSSBwKsAAXPweQAAAPkU4BCxxGf7AgAAAAAEWVo=',
  ].join(''),
  /** --check=crc32 --block-size=4096, of the text */
  blocks: [
    '/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4A//AD1dACoaCKICyq9YdZE74IxSrrLRwdw+OMVxIIKgVQQgDs8oHF2rfp8drlvrSs0ohEN7',
    'lfIbC/JU9KBxxrSzFQAAAAAA8Fur8QIAIQEWAAAAdC/lo+AP/wA9XQA0GUAFYk9rJMmsJ+l5kJmq1SfA8aWxrkga0UItkgqNKn7uAoYy',
    'SrRtKUbNG1OFi3Op4BMNhTcWEnPrEO0AAAAAAI8/OxECACEBFgAAAHQv5aPgD/8APV0AMogIx2OBrK214vUCI/AN0aKd7rm+la+qbeXz',
    'qhVthCcXK0LpptYseGhHw3fjG4tx+BQmqr10Tj4tsBCjAAAAAADlFJRSAgAhARYAAAB0L+Wj4AzvADpdABAZikYjXnFNJq6WzrV7ptJ6',
    'GPkJ0Wr0bA5f5H9AgD6eG0dnogSqNjQxuzJsh5L56MbA0c+j75xKEPwAAAAZT2shAARVgCBVgCBVgCBS8BkAAHiPF1Uj01RdBAAAAAAB',
    'WVo=',
  ].join(''),
  /** --check=crc32 --x86 --lzma2=dict=64KiB, of the code */
  x86: [
    '/Td6WFoAAAFpIt42AgEEACEBCADSuXTL4ASvAXNdAHQP/gAMAorFJ09jGJtqG8+ax4xBKN61IFVNJa8MrRnayNJhiLv8guoyE17RpPBI',
    'amxPQTj98Dqtz0sgKzXpWoaXgTeHvZiqqBNAM5allG84EBnpnOiv7iwpWe3SMFSQevTJPLPEeDL8RI4fljAzjhhbKWIEGpWiWNxkvAIC',
    'YVQZp/8IstxcDALRARJIKAOaso6HkwlMcsjF4Vw1gWTm8xqs40I/9yDMw+/WGIBeNZ+t/Ho5rXAln73Tp/1p72a0NxwopwiY8eNjF0pW',
    '835RLR0S0a8u122DW6Cs+3tk80pMZbc0BH+0sug3WW/LfvABcILze5FXuMj9EGYksIpzKVug/tOdda2qgXq28Q/YrcM5cWtM7E8go4ko',
    '+UPJCofDXUSxxZJiztmCqF/Ojnbvtl1Jor+hbOm9VtM96HKwp03WtFzZmtUWrPDDIOmGCbjphX9/ZIc4TZfV6JqDQxqsPSvRV9gB53C/',
    'vagVeUOlJbnGxN8AAACORYh4AAGLA7AJAAADPyHiPjANiwIAAAAAAVla',
  ].join(''),
  /** --check=none --x86 --lzma2=dict=64KiB,lc=1,lp=2,pb=1, of the code */
  x86OtherModel: [
    '/Td6WFoAAAD/EtlBAgEEACEBCADSuXTL4ASvAXFAAHQP/hANThWAEXf4ujFuj54t3BwsmeepHMPpRaxiNIW4g5dulv/w1FDls2srXcWo',
    'SY8cJ+JcxbKZ2P9tiUqz3jHX1HkY2Xm4zN/D+fWyDg8S3fE+OioF04oBVGV9uTYOcVaBdX5LunQR0kcwgG+wwwul8xKWcG/ek9Qk7sN1',
    'CsmkEdiKsVUS3ZlGspl7uNQN6/M1r+8x88N7zpFCYlzDEEytgSksyujEl3Jn28878gjazK333d2jFmudHNoYqhRSSxkOLPrKQxLhku9P',
    'yHft38tCIScwTnyQfJGtvZym5J7tEXVYJdGakN7IFFl42Co6lt2qSXW2U6PfLcYzVRYr7war8uuJ0t+ysNwFLp1pA9V+H0SjLkNzKYPd',
    'alt7+q12hVHgXRrjEU4gYkeogsiD+JUhYq6zTu5ONQ6fh7/4mtySymPWvww/DTUDh1ktD3NLsE2Wk0ZWa8BEG9e9AtANsPdL0Qy3B3Ap',
    'Ysu8j/JG7c4RAAAAAAAAAYUDsAkAAHNeK9ioAAr8AgAAAAAAWVo=',
  ].join(''),
  /** --delta --lzma2, of the text */
  delta: [
    '/Td6WFoAAATm1rRGAgEDAQAhARZ5IMTu4DzvAF1dACoFG65Ur6qfwmQemiyZk0O3oGGokARbsQXsEhA7Flj2vjVma9aUytel/ASdii4o',
    'kBgh8mNt0kvQ9msTfHQksHTuWvoo5aOQOnVEgIsd1ARwyBq/Ogjk/KTqQlFuAAAAAABFwE2BJIHAqwABefB5AAAAnzd7sbHEZ/sCAAAA',
    'AARZWg==',
  ].join(''),
  /** --check=sha256, of the text */
  sha256: [
    '/Td6WFoAAArh+wyhAgAhARYAAAB0L+Wj4DzvAFddACoaCKICyq9YdZE74IxSrrLRwdw+OMVxIIKgVQQgDs8oHF2rfp8drlvrSs0ohEN7',
    'lfIbC/JU9KBxy43NDOw5C9AJf48PWq0yHHF77hNKlzttoJTcusxmlAAAbWvfYBNYU7kjUgfgwOdR/pU3FhQATwLQamsKG3+/KnYAAYsB',
    '8HkAAA5cBFe26d8cAgAAAAAKWVo=',
  ].join(''),
} as const;
