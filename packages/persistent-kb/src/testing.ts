export { type ConformanceCase, type ConformanceHarness, conformance } from './conformance.js';
export { memoryStore } from './memory-store.js';
