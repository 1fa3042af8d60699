// Keeps docs/hypercalls.md in step with the dispatch table. `--test-update-snapshots` writes it anew.

import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { supportTable } from './support-table.ts';

const DOCUMENT = fileURLToPath(new URL('../../../docs/hypercalls.md', import.meta.url));

test('docs/hypercalls.md: is what the dispatch table says', (t) => {
  t.assert.fileSnapshot(supportTable(), DOCUMENT, { serializers: [String] });
});
