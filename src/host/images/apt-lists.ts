// Reads apt's lists of sources in both their forms and derives from them the list we need: the same
// archives and keys, but the release our guests come from. Pure text; called by `apt-source.ts`.
// Source: sources.list(5).

/** One archive of Debian that the machine knows. */
export interface AptArchive {
  readonly uri: string;
  /** Whether it is the archive of security fixes. */
  readonly isSecurity: boolean;
  /** Value of `signed-by`, where given. */
  readonly signedBy: string | undefined;
}

/** Names that Debian's suites begin with: those whose archives have our releases too. */
const DEBIAN_SUITES = /^(bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)([-/].*)?$/;

/** Finds the archives of Debian in the machine's lists. */
export function readSources(lists: readonly { name: string; text: string }[]): readonly AptArchive[] {
  const found = new Map<string, AptArchive>();
  for (const { name, text } of lists) {
    if (!name.endsWith('.list') && !name.endsWith('.sources')) continue;
    const archives = name.endsWith('.sources') ? readStanzas(text) : readLines(text);
    for (const archive of archives) found.set(`${archive.uri} ${archive.isSecurity}`, archive);
  }
  return [...found.values()];
}

/**
 * Writes a list of sources for one release, in the one-line form.
 * @param suite - such as `bookworm`, which comes with its updates and security fixes, or `bookworm-backports`
 */
export function deriveSources(archives: readonly AptArchive[], suite: string): string {
  const lines: string[] = [];
  const isBackports = suite.includes('-');
  for (const { uri, isSecurity, signedBy } of archives) {
    const options = signedBy === undefined ? '' : `[signed-by=${signedBy}] `;
    const suites = isBackports ? [suite] : isSecurity ? [`${suite}-security`] : [suite, `${suite}-updates`];
    if (isBackports && isSecurity) continue;
    for (const each of suites) lines.push(`deb ${options}${uri} ${each} main\n`);
  }
  return lines.join('');
}

/** The one-line form: `deb [option=value ...] uri suite component ...`. */
function readLines(text: string): readonly AptArchive[] {
  const archives: AptArchive[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (match === null) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    if (!DEBIAN_SUITES.test(suite) || !components.split(/\s+/).includes('main')) continue;
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1];
    archives.push({ uri, isSecurity: isSecuritySuite(suite), signedBy });
  }
  return archives;
}

/** The form of stanzas with a field a line. */
function readStanzas(text: string): readonly AptArchive[] {
  const archives: AptArchive[] = [];
  const plain = text.replace(/^#.*\n?/gm, '');
  for (const stanza of plain.split(/\n\s*\n/)) {
    const field = (name: string): string[] =>
      (new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t]+.*)*)`, 'im').exec(stanza)?.[1] ?? '').split(/\s+/).filter(Boolean);
    if (!field('Types').includes('deb') || field('Enabled')[0] === 'no' || !field('Components').includes('main'))
      continue;
    const signedBy = field('Signed-By');
    for (const suite of field('Suites')) {
      if (!DEBIAN_SUITES.test(suite)) continue;
      for (const uri of field('URIs')) {
        // A key may stand in the file itself; then the machine's trusted keys have to do.
        const key = signedBy.length === 1 && signedBy[0]?.startsWith('/') === true ? signedBy[0] : undefined;
        archives.push({ uri, isSecurity: isSecuritySuite(suite), signedBy: key });
      }
    }
  }
  return archives;
}

function isSecuritySuite(suite: string): boolean {
  return suite.endsWith('-security') || suite.endsWith('/updates');
}
