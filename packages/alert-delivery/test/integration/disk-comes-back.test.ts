import { manualClock } from '@holdfast/clock';
import { memoryDisk } from '@holdfast/journal/testing';
import { describe, expect, it } from 'vitest';
import { type Channel, openDelivery } from '../../src/index.js';
import { faultyFiles } from '../faulty-files.js';

describe('a disk that takes writes again', () => {
  it('is given the ends that it could not take, without a restart, so that a later start sends nothing anew [P88]', async () => {
    for (const ending of ['on schedule', 'at close'] as const) {
      const disk = memoryDisk();
      let full = false;
      const conditions = {
        fault: ({ name }: { name: string }) => (full && name === 'write' ? { error: 'ENOSPC' } : undefined),
      };
      const store = faultyFiles(disk, conditions);
      const clock = manualClock();
      const answers = new Map<string, (works: boolean) => void>();
      const sent: string[] = [];
      const channel: Channel = {
        name: 'a',
        send: ({ id }) =>
          new Promise((resolve, reject) => {
            sent.push(id);
            answers.set(id, (works) => (works ? resolve(undefined) : reject(new Error('down'))));
          }),
      };
      const options = { chain: [{ channel, retries: 0, breaker: false as const }], store, clock };
      const delivery = await openDelivery(options);
      const outcomes = ['fine', 'lost'].map((id) => delivery.notify({ id, title: 't', severity: 'error' }));
      while (answers.size < 2) await new Promise((resolve) => void setImmediate(resolve));
      full = true;
      answers.get('fine')!(true);
      answers.get('lost')!(false);
      expect(await Promise.all(outcomes)).toMatchObject([
        { id: 'fine', status: 'delivered', durable: false },
        { id: 'lost', status: 'dead', durable: false },
      ]);
      await clock.advance(5000);
      expect(delivery.stats()).toMatchObject({ accepted: 2, pending: 2, lawHolds: true });
      full = false;
      if (ending === 'on schedule') {
        await clock.advance(1000);
        expect(delivery.stats()).toMatchObject({ accepted: 2, delivered: 1, dead: 1, pending: 0, lawHolds: true });
        const known = await delivery.notify({ id: 'fine', title: 't', severity: 'error' });
        expect(known).toMatchObject({ status: 'delivered', channel: 'a' });
      }
      expect(await delivery.close()).toMatchObject({ journaled: 0, lawHolds: true });

      await using second = await openDelivery(options);
      expect(second.recovered.pending).toBe(0);
      expect(second.stats()).toMatchObject({ accepted: 2, delivered: 1, dead: 1, pending: 0, lawHolds: true });
      const letters: string[] = [];
      for await (const { alert } of second.dead()) letters.push(alert.id);
      expect(letters).toEqual(['lost']);
      expect(sent).toEqual(['fine', 'lost']);
    }
  });
});
