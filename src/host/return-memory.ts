// Hands memory back to the host at a moment when much has become free and nothing waits: after a domain
// has been built. Node offers no function for that without a flag, so the flag is set for a moment.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all garbage of this thread and gives the space to the host. */
export function returnMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // what the flag defines
  setFlagsFromString('--no-expose-gc');
  collect();
}
