export { createEngine } from './engine.ts';
export { type EngineTier, isEngineTier } from './tier.ts';
