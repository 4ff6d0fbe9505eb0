import { describe, expect, it } from 'vitest';
import { type Conditions, type Fault, memoryDisk, seededRandom } from '../../src/testing.js';

const text = (disk: ReturnType<typeof memoryDisk>, path: string): string | undefined =>
  disk.files().get(path)?.toString();

/** A disk with the durable file /a that says `old`. */
async function withFile() {
  const disk = memoryDisk();
  const fs = disk.fileSystem();
  const file = await fs.open('/a', 'w');
  await file.write(Buffer.from('old'), 0, 3, 0);
  await file.datasync();
  await (await fs.open('/', 'r')).sync();
  return { disk, fs, file };
}

/** What is found after power cuts of many seeds. */
async function outcomes(make: () => Promise<ReturnType<typeof memoryDisk>>, look: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const disk = await make();
    disk.powerCut(seededRandom(seed));
    found.add(text(disk, look) ?? 'gone');
  }
  return found;
}

describe('memoryDisk', () => {
  it('[P11] keeps what was synced through a power cut, bytes and name', async () => {
    expect(await outcomes(async () => (await withFile()).disk, '/a')).toEqual(new Set(['old']));
  });

  it('[P11] may lose bytes that were not synced', async () => {
    const make = async () => {
      const { disk, file } = await withFile();
      await file.write(Buffer.from('new'), 0, 3, 0);
      return disk;
    };
    expect(await outcomes(make, '/a')).toEqual(new Set(['old', 'new']));
  });

  it('[P11] may lose a name that was not synced, and keeps a rename whole', async () => {
    const make = async () => {
      const { disk, fs } = await withFile();
      const file = await fs.open('/b', 'w');
      await file.write(Buffer.from('whole'), 0, 5, 0);
      await file.datasync();
      await fs.rename('/b', '/a');
      return disk;
    };
    expect(await outcomes(make, '/a')).toEqual(new Set(['old', 'whole']));
    expect(await outcomes(make, '/b')).toEqual(new Set(['gone', 'whole']));
  });

  it('[P11] loses the bytes of a failed fsync for good: the next one succeeds and stores nothing', async () => {
    const make = async () => {
      const { disk } = await withFile();
      let fails = true;
      const fault: Conditions['fault'] = ({ name }): Fault | undefined =>
        name === 'datasync' && fails ? { error: 'EIO' } : undefined;
      const file = await disk.fileSystem({ fault }).open('/a', 'r+');
      await file.write(Buffer.from('new'), 0, 3, 0);
      await expect(file.datasync()).rejects.toMatchObject({ code: 'EIO' });
      fails = false;
      await file.datasync();
      expect(text(disk, '/a')).toBe('new');
      return disk;
    };
    expect(await outcomes(make, '/a')).toEqual(new Set(['old']));
  });

  it('[P11] takes part of a write when the disk is nearly full, then none', async () => {
    const { disk, file } = await withFile();
    disk.freeBytes = 2;
    expect(await file.write(Buffer.from('new'), 0, 3, 3)).toEqual({ bytesWritten: 2 });
    await expect(file.write(Buffer.from('w'), 0, 1, 5)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(text(disk, '/a')).toBe('oldne');
  });

  it('[P11] lets a process die in a call, with or without its effect', async () => {
    for (const dies of ['before', 'after'] as const) {
      const { disk } = await withFile();
      const file = await disk
        .fileSystem({ fault: ({ name }) => (name === 'write' ? { dies } : undefined) })
        .open('/a', 'r+');
      const returned = file.write(Buffer.from('new'), 0, 3, 0).then(() => 'returned');
      expect(await Promise.race([returned, new Promise((resolve) => setImmediate(() => resolve('never')))])).toBe(
        'never',
      );
      expect(text(disk, '/a')).toBe(dies === 'before' ? 'old' : 'new');
    }
  });
});
