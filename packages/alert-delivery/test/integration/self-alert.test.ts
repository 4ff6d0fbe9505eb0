import { describe, expect, it } from 'vitest';
import {
  type Channel,
  ChannelError,
  type DeliveryEvent,
  openDelivery,
  type Step,
  type StoredAlert,
} from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

describe('a chain that is a function', () => {
  it('is asked where the self-alert goes that tells of a channel that is down, and the rest of that route has it once [P87]', async () => {
    const sent: Record<string, StoredAlert[]> = { mail: [], pager: [] };
    const takes = (name: string): Channel => ({ name, send: async (alert) => void sent[name]!.push(alert) });
    const down: Channel = {
      name: 'chat',
      send() {
        throw new ChannelError('revoked', { kind: 'channelDown' });
      },
    };
    const chat: Step = { channel: down };
    const mail: Step = { channel: takes('mail') };
    const pager: Step = { channel: takes('pager') };
    const asked: StoredAlert[] = [];
    const events: DeliveryEvent[] = [];
    await using delivery = await openDelivery({
      // As a route by severity is written: only what is critical pages.
      chain(alert) {
        asked.push(alert);
        return alert.severity === 'critical' ? [chat, pager] : [chat, mail];
      },
      store: memoryStore(),
      onEvent: (event) => events.push(event),
    });
    for (const id of ['x', 'y'])
      expect(await delivery.notify({ id, title: 't', severity: 'critical' })).toMatchObject({ channel: 'pager' });
    await delivery.flush();

    const [told, ...more] = sent.mail!;
    expect(more).toEqual([]);
    expect(told).toMatchObject({ severity: 'error', title: expect.stringContaining('channel chat is down') });
    expect(asked.filter(({ id }) => id === told!.id)).toHaveLength(1);
    expect(sent.pager!.map(({ id }) => id)).toEqual(['x', 'y']);
    expect(events.filter(({ type }) => type.startsWith('self-alert.'))).toEqual([
      { type: 'self-alert.raised', channel: 'chat' },
    ]);
    expect(delivery.stats()).toMatchObject({ accepted: 2, delivered: 2, selfAlerts: 1, lawHolds: true });
  });

  it('that fails, or has nobody else, raises no self-alert and costs no alert anything [P87]', async () => {
    for (const others of ['none', 'throws'] as const) {
      const events: DeliveryEvent[] = [];
      const down: Channel = {
        name: 'chat',
        send() {
          throw new ChannelError('revoked', { kind: 'channelDown' });
        },
      };
      await using delivery = await openDelivery({
        chain({ id }) {
          if (id !== 'x' && others === 'throws') throw new Error('no route');
          return [{ channel: down }];
        },
        store: memoryStore(),
        onEvent: (event) => events.push(event),
      });
      expect(await delivery.notify({ id: 'x', title: 't', severity: 'error' })).toMatchObject({ status: 'dead' });
      await delivery.flush();
      expect(events.filter(({ type }) => type.startsWith('self-alert.'))).toEqual([]);
      expect(delivery.stats()).toMatchObject({ accepted: 1, dead: 1, selfAlerts: 0, lawHolds: true });
    }
  });
});
