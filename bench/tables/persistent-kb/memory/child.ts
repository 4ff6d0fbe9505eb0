import { type Entry, fileStore, openKb } from '@holdfast/persistent-kb';
import MiniSearch from 'minisearch';
import { entries } from '../peers/entries.ts';
import { peers } from '../peers/peers.ts';

/** `child.ts fill <dir> <count>` writes the files; `child.ts <who> <dir> <count>` loads one of them and tells what it holds. */
const [who = '', dir = '', count = ''] = process.argv.slice(2);
const settle = async (): Promise<number> => {
  for (let n = 0; n < 4; n++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

if (who === 'fill') {
  for (const peer of peers) {
    const opened = await peer.open(dir);
    const batch: Entry[] = [];
    for (const entry of entries(Number(count))) {
      batch.push(entry);
      if (batch.length === 2_000) await opened.fill(batch.splice(0));
    }
    if (batch.length > 0) await opened.fill(batch);
    await opened.close();
  }
  process.send?.({ done: true });
} else {
  const before = await settle();
  const kept = await load();
  const bytes = (await settle()) - before;
  process.send?.({ bytes, rss: process.memoryUsage().rss, kept: kept === undefined });
  process.exit(0);
}

async function load(): Promise<unknown> {
  if (who === 'map') {
    const kept = new Map<string, unknown>();
    for (const entry of entries(Number(count))) kept.set(entry.id, JSON.parse(JSON.stringify(entry)));
    return kept;
  }
  if (who === 'minisearch') {
    const kept = new MiniSearch({ fields: ['title', 'body'], idField: 'id' });
    for (const entry of entries(Number(count))) kept.add(entry);
    return kept;
  }
  if (who === 'text') {
    const kb = await openKb({ store: fileStore({ dir: `${dir}/holdfast` }) });
    while (kb.health().textIndex.state !== 'ready') await new Promise((resolve) => setTimeout(resolve, 20));
    return kb;
  }
  const peer = peers.find((each) => each.who === who);
  if (!peer) throw new Error(`nobody is called ${who}`);
  // What the peer itself keeps; where it keeps nothing in memory, the Map that a service would fill from it.
  const opened = await peer.open(dir);
  return /level|lmdb|sqlite/.test(who) ? [opened, await opened.all()] : opened;
}
