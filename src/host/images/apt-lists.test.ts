// Lists of sources as machines have them, in both forms, and what is derived from them. Nothing is fetched.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveSources, readSources } from './apt-lists.ts';

const MAIN = { uri: 'http://mirror.invalid/debian', isSecurity: false, signedBy: undefined };

test('apt lists: the one-line form is read, and only the archives of Debian count', () => {
  const text = `
# deb http://commented.invalid/debian bookworm main
deb http://mirror.invalid/debian bookworm main contrib # with a comment
deb-src http://mirror.invalid/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian.gpg] https://mirror.invalid/security bookworm-security main
deb http://other.invalid/tools nodistro main
deb http://mirror.invalid/debian bookworm contrib
`;
  assert.deepEqual(readSources([{ name: 'sources.list', text }]), [
    MAIN,
    { uri: 'https://mirror.invalid/security', isSecurity: true, signedBy: '/usr/share/keyrings/debian.gpg' },
  ]);
});

test('apt lists: the form of stanzas is read', () => {
  const text = `Types: deb deb-src
# a comment
URIs: http://mirror.invalid/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://off.invalid/debian
Suites: trixie
Components: main
Enabled: no

Types: deb
URIs: http://mirror.invalid/security
Suites: trixie-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
`;
  assert.deepEqual(readSources([{ name: 'sources.list.d/debian.sources', text }]), [
    { ...MAIN, signedBy: '/usr/share/keyrings/debian.gpg' },
    { uri: 'http://mirror.invalid/security', isSecurity: true, signedBy: undefined },
  ]);
});

test('apt lists: files that apt would not read are left alone', () => {
  assert.deepEqual(
    readSources([{ name: 'sources.list.d/x.list.save', text: 'deb http://a.invalid bookworm main' }]),
    [],
  );
});

test('apt lists: a release comes with its updates and its security fixes', () => {
  const archives = [MAIN, { uri: 'http://mirror.invalid/security', isSecurity: true, signedBy: '/k.gpg' }];
  assert.equal(
    deriveSources(archives, 'bookworm'),
    'deb http://mirror.invalid/debian bookworm main\n' +
      'deb http://mirror.invalid/debian bookworm-updates main\n' +
      'deb [signed-by=/k.gpg] http://mirror.invalid/security bookworm-security main\n',
  );
});

test('apt lists: backports come from the main archive alone', () => {
  const archives = [MAIN, { uri: 'http://mirror.invalid/security', isSecurity: true, signedBy: undefined }];
  assert.equal(
    deriveSources(archives, 'bookworm-backports'),
    'deb http://mirror.invalid/debian bookworm-backports main\n',
  );
});
