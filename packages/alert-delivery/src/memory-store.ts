import { memoryBodies } from './bodies.js';
import { Ledger } from './ledger.js';
import { LocalStore } from './local-store.js';
import type { StoreDriver } from './store.js';

const DONE = Promise.resolve();

/** Keeps alerts in memory, for tests: everything is lost at exit, and each `openDelivery` starts empty. */
export function memoryStore(): StoreDriver {
  return {
    kind: 'memory',
    async open(context) {
      const bodies = memoryBodies();
      const ledger = new Ledger({
        clock: context.clock,
        history: context.history,
        onForgotten: (id) => bodies.drop('past', id),
      });
      return new LocalStore({
        ledger,
        bodies,
        context,
        log: {
          append(records) {
            for (const record of records) ledger.apply(record);
            return DONE;
          },
          failure: undefined,
          async close() {},
        },
      });
    },
  };
}
