// The tier of the engine that tests run guest code in: ZENDO_ENGINE_TIER=compiler takes all of them through the
// compiler; without it they run as users do.

import { type EngineTier, isEngineTier } from '../../src/engine/index.ts';

/** @returns the tier that the environment asks for; undefined for the default */
export function requestedTier(): EngineTier | undefined {
  const name = process.env['ZENDO_ENGINE_TIER'];
  if (name === undefined || name === '') return undefined;
  if (!isEngineTier(name)) throw new Error(`ZENDO_ENGINE_TIER: there is no engine tier '${name}'`);
  return name;
}
