import type { Bodies } from '../bodies.js';
import type { LedgerRecord } from '../ledger-record.js';
import type { LifeEvent } from '../life.js';
import type { DeliveryStore, Hold } from '../store.js';

type Append = (records: LedgerRecord | readonly LedgerRecord[]) => Promise<void>;

/** Where a bug can be planted: each takes the right thing and returns the wrong one. */
export interface Planted {
  readonly store?: (right: DeliveryStore) => DeliveryStore;
  readonly bodies?: (right: Bodies) => Bodies;
  readonly append?: (right: Append) => Append;
}

/** `right` with some members replaced. */
export function wrapped<T extends object>(right: T, wrong: { readonly [K in keyof T]?: T[K] | undefined }): T {
  return new Proxy(right, {
    get(target, name) {
      if (Object.hasOwn(wrong, name)) return wrong[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Ends an alert as soon as an attempt begins; what is written of it later is lost without a word. */
function endsWhenBegun(which: (event: Extract<LifeEvent, { type: 'started' }>) => LifeEvent | undefined): Planted {
  return {
    store(right) {
      const ended = new Set<string>();
      return wrapped(right, {
        async record(holds: readonly Hold[], events: readonly LifeEvent[]) {
          const open = holds.filter((hold) => !ended.has(hold.token));
          if (open.length === 0) return [];
          const lost = await right.record(open, events);
          for (const event of events) {
            const end = event.type === 'started' ? which(event) : undefined;
            if (!end) continue;
            for (const { token } of open) ended.add(token);
            await right.record(open, [end]);
          }
          return lost;
        },
      });
    },
  };
}

/** Bugs, each a wrong step somewhere: a simulation that does not find them finds nothing. */
export const PLANTED_BUGS = {
  'delivered is written before the send': endsWhenBegun(({ at, channel }) => ({
    type: 'delivered',
    at,
    channel,
    attempt: 1,
    ms: 0,
  })),
  'a folded alert is closed before its digest is sent': endsWhenBegun(({ at, channel, digest }) =>
    digest === undefined ? undefined : { type: 'coalesced', at, into: digest, channel },
  ),
  'a dead letter is closed before it is synced': {
    bodies: (right) => ({
      ...right,
      async put(shelf, id, body) {
        right.put(shelf, id, body, { sync: false }).catch(() => undefined);
      },
    }),
  },
  'an alert is acknowledged before it is durable': {
    append: (right) => async (records) => {
      const written = right(records);
      if (Array.isArray(records) && (records[0] as LedgerRecord).t === 'in') written.catch(() => undefined);
      else await written;
    },
  },
  'the beginning of an attempt is not written': {
    store: (right) =>
      wrapped(right, {
        async record(holds, events) {
          const rest = events.filter((event) => event.type !== 'started');
          return rest.length === 0 ? [] : await right.record(holds, rest);
        },
      }),
  },
  'recovery leaves out what was begun': {
    store: (right) =>
      wrapped(right, {
        async claim(limit) {
          const works = await right.claim(limit);
          return works.filter(({ record }) => !record.events.some((event) => event.type === 'started'));
        },
      }),
  },
} as const satisfies Record<string, Planted>;

export type PlantedBug = keyof typeof PLANTED_BUGS;
