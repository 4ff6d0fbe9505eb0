export type { MongoStoreOptions } from './mongo-store.js';
export { mongoStore } from './mongo-store.js';
