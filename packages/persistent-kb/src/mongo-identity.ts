import type { Collection } from 'mongodb';
import type { KbDocument } from './mongo-document.js';

/** Somebody dropped, renamed or replaced the collection under us. */
export class CollectionGone extends Error {
  override readonly name = 'CollectionGone';
}

/**
 * Remembers which collection this is, by the UUID that the server gave it, and returns a check that throws
 * {@link CollectionGone} when another one, or none, has its name: a token or a stamp of one says nothing about another.
 * Where the server does not tell the UUID, or the user may not ask, the check passes.
 */
export async function pinIdentity(collection: Collection<KbDocument>): Promise<() => Promise<void>> {
  const pinned = await uuidOf(collection).catch(() => undefined);
  return async () => {
    if (pinned === undefined) return;
    const now = await uuidOf(collection);
    if (now === pinned) return;
    throw new CollectionGone(`the collection ${now === undefined ? 'is gone' : 'was replaced by another of its name'}`);
  };
}

async function uuidOf({ db, collectionName }: Collection<KbDocument>): Promise<string | undefined> {
  const found = await db.listCollections({ name: collectionName }).toArray();
  const uuid: unknown = (found[0] as { info?: { uuid?: unknown } } | undefined)?.info?.uuid;
  return uuid === undefined ? undefined : (uuid as { toString(encoding: 'hex'): string }).toString('hex');
}
