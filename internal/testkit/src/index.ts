export type { ChaosOptions, ChaosReport } from './chaos.js';
export { type EventuallyOptions, eventually } from './eventually.js';
export { type Exit, type Proc, type RunOptions, runNode, runProcess } from './process.js';
export { type TempDir, tempDir } from './temp-dir.js';
