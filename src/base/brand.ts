// Branded primitives: numbers from different spaces that the compiler keeps apart at no run-time cost.
// Every layer builds its own spaces on `Brand`; the spaces shared by all layers stand here.

declare const brand: unique symbol;

/** A primitive of type `T` that only a constructor of its own space makes. Erased at run time. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Machine frame number: index of a 4 KiB frame of machine memory. */
export type Mfn = Brand<number, 'Mfn'>;

/** Pseudo-physical frame number: index into one domain's linear numbering of its frames. */
export type Pfn = Brand<number, 'Pfn'>;

/** Machine address in bytes: `mfn * 4096 + offset`. Exact below 2^52. */
export type Maddr = Brand<number, 'Maddr'>;

/** The low 48 bits of a canonical guest virtual address; bit 47 tells which half it belongs to. */
export type Vaddr = Brand<number, 'Vaddr'>;

/** Domain identifier, 0 to 0x7fef. Source: Xen public/xen.h, domid_t. */
export type Domid = Brand<number, 'Domid'>;

/** Event channel port, local to one domain. */
export type Port = Brand<number, 'Port'>;

/** Takes a number that the caller knows to be a machine frame number. */
export function mfn(raw: number): Mfn {
  return raw as Mfn; // the constructor of the space
}

/** Takes a number that the caller knows to be a pseudo-physical frame number. */
export function pfn(raw: number): Pfn {
  return raw as Pfn; // the constructor of the space
}

/** Takes a number that the caller knows to be a machine address in bytes. */
export function maddr(raw: number): Maddr {
  return raw as Maddr; // the constructor of the space
}

/** Takes a number that the caller knows to be the low 48 bits of a canonical address. */
export function vaddr(raw: number): Vaddr {
  return raw as Vaddr; // the constructor of the space
}

/** Takes a number that the caller knows to be a domain identifier. */
export function domid(raw: number): Domid {
  return raw as Domid; // the constructor of the space
}

/** Takes a number that the caller knows to be an event channel port. */
export function port(raw: number): Port {
  return raw as Port; // the constructor of the space
}
