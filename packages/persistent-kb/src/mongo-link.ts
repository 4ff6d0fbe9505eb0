import { randomBytes } from 'node:crypto';
import type { Collection, MongoClient, TopologyDescription } from 'mongodb';
import type { KbDocument } from './mongo-document.js';
import type { StoreContext } from './store.js';

/** A collection, and whether anything can be written to it right now. */
export interface Link {
  readonly collection: Collection<KbDocument>;
  /** Names this opening, in every document that it writes. */
  readonly instance: string;
  /** Whether there is more than one copy, or may be: a replica set or a router. */
  readonly replicated: boolean;
  /** Resolves true once there is a primary, false after `timeoutMs` without one. Nothing is sent. */
  writable(timeoutMs: number): Promise<boolean>;
  /** Whether a primary is known now. */
  readonly up: boolean;
  /** Why the collection is lost for good, once it is: nothing is written to it any more. */
  readonly lost: Error | undefined;
  lose(why: Error): void;
  stop(): void;
}

/** Passed with every call: a caller's client may have its own ideas, and `j: false` makes majority up to 100 times slower. */
export const CALL = {
  writeConcern: { w: 'majority', journal: true },
  ignoreUndefined: true,
  promoteLongs: true,
  promoteValues: true,
  promoteBuffers: false,
  useBigInt64: false,
  bsonRegExp: false,
  raw: false,
} as const;

/** Follows the topology by its events: losing the primary shows within half a second, also on an idle connection. */
export function follow(
  client: MongoClient,
  collection: Collection<KbDocument>,
  replicated: boolean,
  context: StoreContext,
): Link {
  let up = true;
  let lost: Error | undefined;
  const waiting = new Set<(up: boolean) => void>();
  const changed = ({ newDescription }: { newDescription: TopologyDescription }): void => {
    const now = hasPrimary(newDescription);
    if (now === up) return;
    up = now;
    if (up) {
      for (const wake of [...waiting]) wake(true);
      context.health({ state: 'stale' });
    } else context.health({ state: 'degraded', lagMs: null, cause: new Error('MongoDB has no reachable primary') });
  };
  client.on('topologyDescriptionChanged', changed);
  return {
    collection,
    instance: randomBytes(6).toString('base64url'),
    replicated,
    get up() {
      return up;
    },
    get lost() {
      return lost;
    },
    lose(why) {
      lost = why;
    },
    writable(timeoutMs) {
      if (up) return Promise.resolve(true);
      return new Promise((resolve) => {
        const done = (result: boolean): void => {
          cancel();
          waiting.delete(done);
          resolve(result);
        };
        const cancel = context.clock.schedule(timeoutMs, () => done(false), { ref: true });
        waiting.add(done);
      });
    },
    stop: () => void client.off('topologyDescriptionChanged', changed),
  };
}

function hasPrimary(description: TopologyDescription): boolean {
  if (description.type === 'ReplicaSetWithPrimary' || description.type === 'LoadBalanced') return true;
  if (description.type === 'ReplicaSetNoPrimary' || description.type === 'Unknown') return false;
  return [...description.servers.values()].some((server) => server.type !== 'Unknown');
}
