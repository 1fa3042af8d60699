// What `zendo help` and `zendo version` print. README.md has the same list of options with more words.

import { readFileSync } from 'node:fs';

/** The text of `zendo help`, with its last line end. */
export const helpText = `\
Usage: zendo run [OPTION]...
       zendo help | version

zendo run starts one domain in this process; the terminal is its console.

  --kernel FILE      kernel image: bzImage or ELF, for x86-64 and Xen PV (default: Debian's cloud kernel)
  --ramdisk FILE     initial ramdisk (default: none; with the default kernel, one with a busybox shell)
  --append TEXT      kernel command line
  --memory SIZE      128, 128M, 128MiB, 1G; a bare number counts MiB (default: 256M)
  --vcpus N          virtual CPUs, 1 to 32 (default: 1)
  --name NAME        name of the domain (default: guest)
  --timeout SECONDS  end the run after so long
  --trace KIND,...   print what happens on standard error: hypercall, trap, mmu, event, store
  --engine-tier TIER how guest code runs: interpreter, compiler (all of it compiled), auto (what is hot; default)
  --stats[=json]     print at the end where the time went; SIGUSR2 prints it in between
  --dump-ir PLACE[=FILE]
  --dump-wasm PLACE[=FILE]
                     print the engine's records, or the WebAssembly, of the guest code at an address or a kernel's
                     symbol (schedule, schedule+0x10) when it is decoded or compiled
  -q, --quiet        print no notices and no progress
  -h, --help         print this

Ctrl-] ends the run. So does Ctrl-C pressed twice; a single one goes to the guest.

Exit status: 0 the guest powered off, 1 bad input or a fault of zendo, 2 wrong usage, 3 the guest crashed,
4 the time limit was hit, 128 + n ended by signal n or by the keys above (130).
`;

/** @returns the project's version, from package.json */
export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version; // our own file
}
