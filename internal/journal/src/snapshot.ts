import { createWhole, type Workplace } from './context.js';
import { toJson } from './encode.js';
import { writeFully } from './file-system.js';
import { encodeLine, seedOf } from './frame.js';
import { endLine } from './header.js';
import { snapshotName } from './layout.js';
import { Slicer } from './read-file.js';

/** Bytes of a snapshot that are written at once. */
const SLICE_BYTES = 256 * 1024;

/** How much is written between two syncs, bytes: one large sync at the end would hold up the appends' own. */
const SYNC_BYTES = 8 * 2 ** 20;

/**
 * Writes `records` as the snapshot that stands for all segments below `segment`, in slices. Resolves once it is in place;
 * its name is not durable yet. `checkpoint` throws to give up: nothing but a temporary file is left then.
 */
export async function writeSnapshot<R>(
  place: Workplace,
  segment: number,
  records: Iterator<R>,
  checkpoint: () => void,
): Promise<{ name: string; bytes: number; records: number }> {
  const name = snapshotName(segment);
  const seed = seedOf(name);
  const slicer = new Slicer(place.clock, place.nextTurn);
  let count = 0;
  const { file, size } = await createWhole(place, name, async (target, from) => {
    let at = from;
    let synced = at;
    let lines: string[] = [];
    let waiting = 0;
    let slice = 0;
    const flush = async (): Promise<void> => {
      const bytes = Buffer.from(place.protocol.snapshotSlice(lines, slice++));
      lines = [];
      waiting = 0;
      await writeFully(target, bytes, at);
      at += bytes.length;
      if (at - synced > SYNC_BYTES) {
        await place.protocol.makeDurable(target);
        synced = at;
      }
    };
    for (let next = records.next(); next.done !== true; next = records.next()) {
      const line = encodeLine('records', 0, toJson(Array.isArray(next.value) ? [next.value] : next.value), seed);
      lines.push(line);
      waiting += line.length;
      count++;
      if (waiting < SLICE_BYTES && !slicer.due) continue;
      await flush();
      await slicer.yield();
      checkpoint();
    }
    await flush();
    checkpoint();
    const end = Buffer.from(endLine(name, at, 'snapshot'));
    await writeFully(target, end, at);
    return at + end.length;
  });
  await file.close();
  return { name, bytes: size, records: count };
}
