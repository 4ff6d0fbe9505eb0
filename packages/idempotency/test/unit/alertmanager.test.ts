import { readFileSync } from 'node:fs';
import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import {
  type AlertmanagerOptions,
  type AlertmanagerPayload,
  alertmanager,
  alertmanagerTimes,
  webhookKey,
} from '../../src/alertmanager.js';
import { createIdempotency } from '../../src/index.js';

const MIN = 60_000;
const captured = (name: string): AlertmanagerPayload =>
  JSON.parse(readFileSync(new URL(`../fixtures/alertmanager/${name}.json`, import.meta.url), 'utf8'));

const F = (fingerprint = 'a', startsAt = '2026-01-01T00:00:00Z') => ({ fingerprint, startsAt, status: 'firing' });
const R = (fingerprint = 'a') => ({ ...F(fingerprint), status: 'resolved', endsAt: '2026-01-01T01:00:00Z' });
type Post = { at: number; alerts: object[]; peer?: string; fail?: true; runs: boolean } & Partial<AlertmanagerPayload>;
const url = (peer: string): string => `http://${peer}:9093`;

const SEQUENCES: Record<string, Post[]> = {
  'a retry after a lost answer': [
    { at: 0, alerts: [F()], runs: true },
    { at: 600, alerts: [F()], runs: false },
  ],
  'a resolved notice': [
    { at: 0, alerts: [F()], runs: true },
    { at: 5 * MIN, alerts: [R()], runs: true },
    { at: 5 * MIN + 500, alerts: [R()], runs: false },
  ],
  'a re-fire': [
    { at: 0, alerts: [F()], runs: true },
    { at: MIN, alerts: [R()], runs: true },
    { at: 6 * MIN, alerts: [F('a', '2026-01-01T00:06:00Z')], runs: true },
  ],
  'three intended repeats': [0, 1, 2, 3].map((n) => ({ at: n * 240 * MIN, alerts: [F()], runs: true })),
  'the copy of an HA peer': [
    { at: 0, alerts: [F()], peer: 'a', runs: true },
    { at: 15_000, alerts: [F()], peer: 'b', runs: false },
  ],
  'a lost answer, re-sent at the next flush': [
    { at: 0, alerts: [F()], runs: true },
    { at: 10 * MIN, alerts: [F()], runs: false },
  ],
  'a stale firing of a peer after the resolve, then the resolve again': [
    { at: 0, alerts: [F()], peer: 'a', runs: true },
    { at: 240 * MIN, alerts: [R()], peer: 'a', runs: true },
    { at: 240 * MIN + 10_000, alerts: [F()], peer: 'b', runs: false },
    { at: 240 * MIN + 20_000, alerts: [R()], peer: 'b', runs: false },
  ],
  'a re-fire with the same startsAt from the same peer': [
    { at: 0, alerts: [F()], runs: true },
    { at: MIN, alerts: [R()], runs: true },
    { at: 2 * MIN, alerts: [F()], runs: true },
  ],
  'sibling routes with continue': [
    { at: 0, alerts: [F()], runs: true },
    { at: 1, alerts: [F()], receiver: 'team\\.b', runs: true },
  ],
  'truncation that hides a change, told by the reason': [
    { at: 0, alerts: [F()], truncatedAlerts: 3, notification_reason: 'first notification', runs: true },
    { at: 5 * MIN, alerts: [F()], truncatedAlerts: 3, notification_reason: 'some alerts resolved', runs: true },
  ],
  'an alert that joins the group': [
    { at: 0, alerts: [F()], runs: true },
    { at: MIN, alerts: [F(), F('b')], runs: true },
  ],
  'send_resolved false with a new startsAt': [
    { at: 0, alerts: [F()], runs: true },
    { at: 2 * MIN, alerts: [F('a', '2026-01-01T00:02:00Z')], runs: true },
  ],
  'a lost notification log, re-notified after the window': [
    { at: 0, alerts: [F()], runs: true },
    { at: 11 * MIN, alerts: [F()], runs: true },
  ],
  'a changed group_by': [
    { at: 0, alerts: [F()], runs: true },
    { at: MIN, alerts: [F()], groupKey: '{}:{x="y"}', runs: true },
  ],
  'a flapping alert': [0, 1, 2, 3, 4].map((n) => ({
    at: n * 5 * MIN,
    alerts: [n % 2 ? R() : F('a', `2026-01-01T0${n}:00:00Z`)],
    runs: true,
  })),
  'a resolve from both peers of a pair': [
    { at: 0, alerts: [F()], peer: 'a', runs: true },
    { at: MIN, alerts: [R()], peer: 'b', runs: true },
    { at: MIN + 900, alerts: [R()], peer: 'a', runs: false },
  ],
  'a handler that failed first': [
    { at: 0, alerts: [F()], fail: true, runs: true },
    { at: 500, alerts: [F()], runs: true },
    { at: 900, alerts: [F()], runs: false },
  ],
  'the same instant in another zone, alerts in another order': [
    { at: 0, alerts: [F(), F('b')], runs: true },
    { at: 1, alerts: [F('b', '2026-01-01T08:00:00+08:00'), F()], runs: false },
  ],
  'a repeat that says so inside the window, and its copy': [
    { at: 0, alerts: [F()], notification_reason: 'first notification', runs: true },
    { at: 2 * MIN, alerts: [F()], notification_reason: 'repeat interval elapsed', runs: true },
    { at: 2 * MIN + 15_000, alerts: [F()], peer: 'b', notification_reason: 'repeat interval elapsed', runs: false },
    { at: 8 * MIN, alerts: [F()], notification_reason: 'repeat interval elapsed', runs: true },
  ],
};

async function play(posts: Post[], options?: AlertmanagerOptions): Promise<boolean[]> {
  const clock = manualClock();
  const idempotency = createIdempotency({ clock });
  const keyOf = alertmanager(options);
  const ran: boolean[] = [];
  for (const { at, peer = 'a', fail, runs: _, ...payload } of posts) {
    await clock.advance(at - clock.monotonic());
    const key = keyOf({ groupKey: '{}:{}', receiver: 'r', externalURL: url(peer), ...payload } as never, {
      sender: peer,
    });
    const before = idempotency.stats().runs;
    await idempotency
      .run(key, async () => {
        if (fail) throw new Error('500');
      })
      .catch(() => undefined);
    ran.push(idempotency.stats().runs > before);
  }
  return ran;
}

describe('alertmanager', () => {
  for (const [name, posts] of Object.entries(SEQUENCES)) {
    it(`judges ${name} [P14]`, async () => {
      expect(await play(posts)).toEqual(posts.map((post) => post.runs));
    });
  }

  it('counts the window from the first delivery and never slides it [P15]', async () => {
    const posts = [0, 5, 10, 11].map((minute) => ({ at: minute * MIN, alerts: [F()], runs: true }));
    expect(await play(posts)).toEqual([true, false, false, true]);
  });

  it('has the longest that a retry can take as window, capped by a shorter repeat interval [P16]', () => {
    expect(alertmanagerTimes({})).toEqual({ windowMs: 615_000, lateMs: 315_000, repeatMs: 315_000, retryMs: 315_000 });
    expect(alertmanagerTimes({ repeatIntervalMs: 60_000 }).windowMs).toBe(57_000);
    for (const bad of [{ peers: 0 }, { groupIntervalMs: -1 }, { peerTimeoutMs: Number.NaN }])
      expect(() => alertmanager(bad)).toThrow(expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION' }));
  });

  it('reads captured bodies: equal for a repeat, different for every change [P17]', () => {
    const state = (name: string) => alertmanager()(captured(name)).state;
    expect(state('repeat-1')).toBe(state('repeat-2'));
    const different = [
      'firing-single',
      'firing-group-3',
      'group-alert-added',
      'group-mixed',
      'resolved-2-resolved',
    ].map(state);
    expect(new Set(different).size).toBe(different.length);
    expect(alertmanager()({}).state).toMatch(/^body /);
  });

  it('makes a key of whatever a stranger posts, also of objects that refuse to become text [P17]', () => {
    const hostile = { toString: 1, valueOf: 1 };
    const alerts = [{ fingerprint: hostile, status: 'firing', startsAt: hostile }];
    const body = { groupKey: hostile, receiver: hostile, externalURL: hostile, truncatedAlerts: hostile, alerts };
    const keyOf = alertmanager();
    const key = keyOf({ ...body, notification_reason: hostile } as never);
    expect(keyOf({ ...body, notification_reason: hostile } as never)).toEqual(key);
    expect(keyOf({ ...body, alerts: [{ ...alerts[0], fingerprint: 'f' }] } as never).state).not.toBe(key.state);
    expect(webhookKey()({ body: { ...body, groupKey: 'g' } })).toBeDefined();
  });
});
