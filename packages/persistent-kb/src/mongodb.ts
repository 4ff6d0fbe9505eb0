export { type MongoStoreOptions, mongoStore } from './mongo-store.js';
