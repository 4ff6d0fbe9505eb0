export { conformance } from './conformance.js';
export type { ConformanceCase, ConformanceHarness } from './conformance-case.js';
export { memoryStore } from './memory-store.js';
