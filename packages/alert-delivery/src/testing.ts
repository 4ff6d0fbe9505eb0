export { type ConformanceCase, storeConformance } from './conformance.js';
export { memoryStore } from './memory-store.js';
