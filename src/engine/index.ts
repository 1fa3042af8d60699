export type { EngineCounters } from './counters.ts';
export { createEngineCounters } from './counters.ts';
export { Cpu, CPU_STATE_SIZE, Gpr, Sreg } from './cpu-layout.ts';
export { CpuState } from './cpu-state.ts';
export type { AccessKind, Engine, EnginePorts, VcpuContext } from './engine.ts';
export { Access } from './engine.ts';
export type { AssistKind, ExitReason, ExitRecord } from './exit.ts';
export { Assist, Exit } from './exit.ts';
export { ARITHMETIC_FLAGS, arithmeticFlags, auxOfFlags, FlagAux, resultOfFlags, Rflags } from './flags.ts';
