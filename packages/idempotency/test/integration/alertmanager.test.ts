import { type Alertmanager, eventually, needs, type PostedAlert, startAlertmanager, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { fileStore } from '../../src/file.js';
import { type Receiver, startReceiver } from '../fixtures/receiver.js';

/** Alertmanager sends within a second or two; a loaded machine may take its time. */
const PATIENCE = { timeoutMs: 30_000 };
/** As from Prometheus, which says since when: peers that are left to guess disagree. */
const startsAt = new Date(Date.now() - 60_000).toISOString();
const alert = (name: string, more: Partial<PostedAlert> = {}): PostedAlert => ({
  labels: { alertname: name, instance: 'a' },
  startsAt,
  ...more,
});
const resolved = (name: string): PostedAlert => alert(name, { endsAt: new Date(Date.now() - 1_000).toISOString() });
const statuses = (receiver: Receiver): string[] => receiver.runs.map(({ status }) => status);
const quiet = async (receiver: Receiver, ms: number): Promise<void> => {
  const before = receiver.posts.length;
  await new Promise((resolve) => setTimeout(resolve, ms));
  if (receiver.posts.length !== before) await quiet(receiver, ms);
};

describe.skipIf(!needs('alertmanager')).concurrent('a real Alertmanager', () => {
  const ROUTE = { groupInterval: '1s', groupWait: '100ms' };
  const TIMES = { groupIntervalMs: 1_000, peers: 1 };

  it('absorbs the retry after a lost 2xx; runs the resolved notice and the re-fire; absorbs theirs too [P56]', async () => {
    await using receiver = await startReceiver(TIMES);
    await using am = await startAlertmanager({ config: { ...ROUTE, webhookUrl: receiver.url } });
    for (const [post, posts, wanted] of [
      [alert('Lost'), 2, ['firing']],
      [resolved('Lost'), 4, ['firing', 'resolved']],
      [alert('Lost', { startsAt: new Date().toISOString() }), 6, ['firing', 'resolved', 'firing']],
    ] as const) {
      receiver.cuts = 1;
      await am.post([post]);
      await eventually(() => receiver.posts.length >= posts, PATIENCE);
      expect(statuses(receiver)).toEqual(wanted);
    }
    expect(receiver.idempotency.stats().hits).toBe(3);
  });

  it('runs each intended repeat, told a repeat_interval shorter than the window [P56]', async () => {
    await using receiver = await startReceiver({ ...TIMES, repeatIntervalMs: 2_000 });
    await using am = await startAlertmanager({ config: { ...ROUTE, repeatInterval: '2s', webhookUrl: receiver.url } });
    await am.post([alert('Repeat')]);
    await eventually(() => receiver.posts.length >= 3, PATIENCE);
    await eventually(() => receiver.runs.length === receiver.posts.length, PATIENCE);
  });

  it('joins the copy that a config reload sends while the first is being handled [P56]', async () => {
    await using receiver = await startReceiver(TIMES);
    const config = { ...ROUTE, webhookUrl: receiver.url };
    await using am = await startAlertmanager({ config });
    let open = (): void => undefined;
    receiver.handler = () => new Promise((resolve) => (open = resolve));
    await am.post([alert('Reload')]);
    await eventually(() => receiver.runs.length === 1, PATIENCE);
    await am.reload({ ...config, repeatInterval: '2h' });
    await eventually(() => receiver.posts.length === 2, PATIENCE);
    open();
    await eventually(() => receiver.idempotency.stats().joins === 1, PATIENCE);
    await quiet(receiver, 1_500);
    expect([receiver.posts.length, receiver.runs.length]).toEqual([2, 1]);
  });

  it('runs again when the handler failed, as the same run [P56]', async () => {
    await using receiver = await startReceiver(TIMES);
    receiver.handler = () => {
      if (receiver.runs.length === 1) throw new Error('not yet');
    };
    await using am = await startAlertmanager({ config: { ...ROUTE, webhookUrl: receiver.url } });
    await am.post([alert('Failed')]);
    await eventually(() => receiver.runs.length === 2, PATIENCE);
    await quiet(receiver, 1_500);
    expect(receiver.idempotency.stats()).toMatchObject({ runs: 2, failures: 1 });
  });
});

describe.skipIf(!needs('alertmanager')).concurrent('a real HA pair', () => {
  async function startPair(
    config: { webhookUrl: string; groupInterval: string; groupWait?: string },
    peerTimeout: string,
  ) {
    const first = await startAlertmanager({ config, peers: [], peerTimeout, externalUrl: 'http://peer-a.test' });
    const second = await startAlertmanager({ config, peers: [first], peerTimeout, externalUrl: 'http://peer-b.test' });
    const pair: Alertmanager[] = [first, second];
    return {
      post: (alerts: PostedAlert[]) => Promise.all(pair.map((peer) => peer.post(alerts))),
      [Symbol.asyncDispose]: async () => {
        for (const peer of pair) await peer[Symbol.asyncDispose]();
      },
    };
  }

  it('gives one run when the receiver was down for both peers, whoever delivers; and one for the resolve [P57]', async () => {
    await using dir = await tempDir();
    const times = { groupIntervalMs: 1_000, peers: 2, peerTimeoutMs: 1_000 };
    await using receiver = await startReceiver(times, fileStore({ dir: dir.path }));
    await using pair = await startPair({ webhookUrl: receiver.url, groupInterval: '1s', groupWait: '100ms' }, '1s');
    await receiver.down();
    await pair.post([alert('Down')]);
    // Longer than the wait of the second peer: from then on both retry.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await receiver.up();
    await eventually(() => receiver.runs.length >= 1, PATIENCE);
    await quiet(receiver, 3_000);
    expect(statuses(receiver)).toEqual(['firing']);
    await pair.post([resolved('Down')]);
    await eventually(() => receiver.runs.length >= 2, PATIENCE);
    await quiet(receiver, 3_000);
    expect(statuses(receiver)).toEqual(['firing', 'resolved']);
  });

  it('absorbs the copy of a peer that sends while a slow first delivery is being handled [P57]', async () => {
    await using receiver = await startReceiver({ groupIntervalMs: 1_000, peers: 2, peerTimeoutMs: 1_000 });
    receiver.handler = () => new Promise((resolve) => setTimeout(resolve, 3_000));
    await using pair = await startPair({ webhookUrl: receiver.url, groupInterval: '1s', groupWait: '100ms' }, '1s');
    await pair.post([alert('Slow')]);
    await eventually(() => receiver.posts.length >= 2 && receiver.idempotency.stats().joins >= 1, PATIENCE);
    await quiet(receiver, 3_000);
    expect(receiver.runs.length).toBe(1);
    expect(new Set(receiver.posts.map(({ sender }) => sender)).size).toBe(2);
  });

  it('absorbs the stale firing of a healthy pair after the resolve, and the second resolve [P57]', async () => {
    await using receiver = await startReceiver({ groupIntervalMs: 2_000, peers: 2, peerTimeoutMs: 3_000 });
    await using pair = await startPair({ webhookUrl: receiver.url, groupInterval: '2s', groupWait: '100ms' }, '3s');
    await pair.post([alert('Stale')]);
    await eventually(() => receiver.runs.length === 1, PATIENCE);
    await pair.post([resolved('Stale')]);
    await eventually(() => receiver.runs.length === 2, PATIENCE);
    await quiet(receiver, 6_000);
    expect(statuses(receiver)).toEqual(['firing', 'resolved']);
  });
});
