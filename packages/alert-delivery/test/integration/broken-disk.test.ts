import { memoryDisk } from '@holdfast/journal/testing';
import { describe, expect, it } from 'vitest';
import { type Channel, openDelivery } from '../../src/index.js';
import { slackWebhook } from '../../src/slack.js';
import { fakeProvider, memoryStore } from '../../src/testing.js';
import { faultyFiles } from '../faulty-files.js';

describe('a disk that fails', () => {
  it('keeps no alert from its channels, says what is not durable, and loses nothing that was acknowledged before [P77]', async () => {
    for (const [call, code] of [
      ['write', 'ENOSPC'],
      ['datasync', 'EIO'],
    ] as const) {
      const disk = memoryDisk();
      let broken = false;
      const conditions = {
        fault: ({ name }: { name: string }) => (broken && name === call ? { error: code } : undefined),
      };
      const store = faultyFiles(disk, conditions);
      let down = false;
      const channel: Channel = {
        name: 'a',
        async send() {
          if (down) throw new Error('down');
        },
      };
      const events: string[] = [];
      const options = { chain: [{ channel, retries: 0, breaker: false as const }], store };
      const delivery = await openDelivery({ ...options, onEvent: (event) => events.push(event.type) });
      await delivery.notify({ id: 'before', title: 't', severity: 'error' });
      broken = true;
      expect(await delivery.notify({ id: 'x', title: 't', severity: 'error' })).toMatchObject({
        status: 'delivered',
        durable: false,
      });
      expect(await delivery.accept({ id: 'y', title: 't', severity: 'error' })).toEqual({ id: 'y', duplicate: false });
      expect((await delivery.accept({ id: 'y', title: 't', severity: 'error' })).duplicate).toBe(true);
      down = true;
      const refused = delivery.accept({ id: 'z', title: 't', severity: 'error' });
      await expect(refused).rejects.toMatchObject({ code: 'DELIVERY_STORE_FAILED' });
      const both = ['v', 'v'].map((id) => delivery.accept({ id, title: 't', severity: 'error' }));
      // The second copy is not told "accepted" before anybody took the first.
      expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(await delivery.notify({ id: 'w', title: 't', severity: 'error' })).toMatchObject({
        status: 'dead',
        durable: false,
      });
      expect(events).toContain('store.failed');
      expect(delivery.stats()).toMatchObject({ accepted: 1, delivered: 1, lawHolds: true });
      await delivery.close({ timeoutMs: 0 });
      broken = false;
      await using second = await openDelivery(options);
      expect(await second.explain('before')).toMatchObject({ status: 'delivered' });
    }
  });
});

describe('slackWebhook', () => {
  it('takes an answer of 200 that says ok: false for the failure that it is [P78]', async () => {
    await using slack = await fakeProvider('slack');
    slack.script([{ status: 200, body: '{"ok":false,"error":"channel_not_found"}' }]);
    await using delivery = await openDelivery({
      chain: [{ channel: slackWebhook({ url: slack.url }), backoff: { minMs: 0, maxMs: 0, factor: 1 } }],
      store: memoryStore(),
    });
    const outcome = await delivery.notify({ title: 't', severity: 'error' });
    expect(outcome).toMatchObject({
      status: 'delivered',
      attempts: [{ verdict: 'transient' }, { verdict: 'delivered' }],
    });
  });
});
