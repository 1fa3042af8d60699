export { FrameAllocator } from './frame-allocator.ts';
export { FrameFlag, FrameTable, FrameType, OWNER_FREE, OWNER_XEN } from './frame-table.ts';
export type { FrameTypeValue } from './frame-table.ts';
export {
  addressOf,
  createMachineMemory,
  FRAME_SHIFT,
  FRAME_SIZE,
  frameOf,
  MachineMemory,
  MAX_FRAMES,
} from './memory.ts';
