export { type Conditions, type Fault, type MemoryDisk, memoryDisk, type SystemCall } from './testing/memory-disk.js';
export { openJournalOn } from './testing/open-on-disk.js';
export { PLANTED_BUGS } from './testing/planted.js';
export { type Random, seededRandom } from './testing/random.js';
export { type ScheduleReport, simulate } from './testing/simulation.js';
