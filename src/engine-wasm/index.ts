export { createEngine } from './engine.ts';
export { ENGINE_TIERS, type EngineTier, isEngineTier } from './tier.ts';
