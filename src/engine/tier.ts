// The tiers in which an engine can run guest code. Chosen by the operator when the engine is made; the command line
// takes them by these names.

/** Names of the tiers. */
export const ENGINE_TIERS = ['interpreter', 'compiler', 'auto'] as const;

/** `interpreter`: nothing is compiled; `compiler`: every block at its first entry; `auto`: what has become hot. */
export type EngineTier = (typeof ENGINE_TIERS)[number];

/** True for the name of a tier. */
export function isEngineTier(name: string): name is EngineTier {
  return ENGINE_TIERS.some((tier) => tier === name);
}
