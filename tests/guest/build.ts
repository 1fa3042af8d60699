// Writes every guest test's kernel as an ELF file: `node tests/guest/build.ts DIRECTORY`. Each file starts
// under any hypervisor that takes Xen PV guests and prints the same verdict; where the real Xen differs, the
// test says so.

import { globSync, mkdirSync, readdirSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  process.stderr.write('usage: node tests/guest/build.ts DIRECTORY\n');
  process.exitCode = 2;
} else {
  mkdirSync(directory, { recursive: true });
  process.env['GUEST_KERNELS'] = directory;
  for (const file of globSync('*.test.ts', { cwd: import.meta.dirname })) {
    await import(pathToFileURL(`${import.meta.dirname}/${file}`).href);
  }
  process.stdout.write(`${readdirSync(directory).length} kernels are in ${directory}\n`);
}
