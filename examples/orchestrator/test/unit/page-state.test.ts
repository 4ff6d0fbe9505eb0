import type { DeliveryEvent } from '@holdfast/alert-delivery';
import { describe, expect, it } from 'vitest';
import { Activity } from '../../src/activity.js';
import { ChannelWatch } from '../../src/channel-watch.js';
import { type FeedEvent, LiveFeed } from '../../src/live-feed.js';
import { Minutes } from '../../src/minutes.js';
import { needsOf, type Overview } from '../../src/overview.js';
import { LoginLimit, Sessions } from '../../src/session.js';
import { StoreWatch } from '../../src/store-watch.js';
import { needWords, verdict } from '../../src/words.js';

const NOW = 1_800_000_000_000;

function shown(more: Partial<Omit<Overview, 'needs'>> = {}): Omit<Overview, 'needs'> {
  return {
    startedAt: NOW,
    state: 'ready',
    law: { accepted: 5, delivered: 5, coalesced: 0, pending: 0, dead: 0, evicted: 0, holds: true },
    alerts: { firing: 0, unconfirmed: 0, resolved: 0 },
    copies: 0,
    channels: [],
    components: [],
    store: 'files',
    entries: 0,
    remembered: 0,
    stuck: 0,
    refused: { count: 0, newest: [] },
    perMinute: { accepted: [], failed: [] },
    ...more,
  };
}
const channel = (name: string, state: Overview['channels'][number]['state']) => ({
  ...{ name, state, sent: 0, failed: 0, waiting: 0, active: 0, throttledMs: 0 },
});

describe('the verdict', () => {
  it('is calm when the books balance and nothing needs anybody [P79]', () => {
    expect(verdict({ ...shown(), needs: needsOf(shown(), NOW) })).toEqual({
      tone: 'ok',
      text: 'Everything accepted is accounted for. Nothing needs you.',
    });
  });

  it('names the most pressing thing first [P80]', () => {
    const law = { accepted: 9, delivered: 5, coalesced: 0, pending: 1, dead: 2, evicted: 1, holds: true };
    const state = shown({
      law,
      channels: [channel('slack', 'down'), channel('smtp', 'ok')],
      components: [{ name: 'kb', ok: false, state: 'started', message: 'stale' }],
      oldestUnsentAt: NOW - 200_000,
      consolidation: { at: NOW, ok: false },
      refused: { count: 3, newest: [{ at: NOW, from: 'x', why: 'y', body: '' }] },
    });
    const needs = needsOf(state, NOW);
    expect(needs.map(({ kind }) => kind)).toEqual([
      'dead',
      'channel',
      'component',
      'waiting',
      'evicted',
      'consolidation',
      'refused',
    ]);
    expect(verdict({ ...state, needs })).toEqual({
      tone: 'bad',
      text: 'Everything accepted is accounted for. 7 things need you: 2 notifications reached nobody.',
    });
    expect(needs.map((need) => needWords(need, () => 'then'))).toContain(
      'Slack is down; Smtp takes its alerts.'.replace('Smtp', 'SMTP'),
    );
  });

  it('says so when the books do not balance [P81]', () => {
    const state = shown({
      law: { accepted: 9, delivered: 5, coalesced: 0, pending: 0, dead: 0, evicted: 0, holds: false },
    });
    expect(needsOf(state, NOW)[0]).toEqual({ kind: 'law', missing: 4 });
    expect(verdict({ ...state, needs: [] }).tone).toBe('bad');
  });

  it('forgets a refused post after an hour [P82]', () => {
    const refused = { count: 1, newest: [{ at: NOW - 3_700_000, from: 'x', why: 'y', body: '' }] };
    expect(needsOf(shown({ refused }), NOW)).toEqual([]);
  });
});

describe('LiveFeed', () => {
  it('gives what was missed, in order, and knows when it can not [P83]', () => {
    const feed = new LiveFeed();
    const start = feed.expect(NOW);
    for (let n = 0; n < 5; n++) feed.publish('alerts', n);
    expect(feed.since(start)?.map(({ data }) => data)).toEqual(['0', '1', '2', '3', '4']);
    expect(feed.since(feed.position())).toEqual([]);
    for (const strange of [undefined, '', 'other-1', `${start}x`, start.replace(/-\d+$/, '-99')])
      expect(feed.since(strange)).toBeUndefined();
    for (let n = 0; n < 1_000; n++) feed.publish('alerts', n);
    expect(feed.since(start)).toBeUndefined();
  });

  it('keeps no more than four million characters, however large the events are [P84]', () => {
    const feed = new LiveFeed();
    const start = feed.expect(NOW);
    for (let n = 0; n < 50; n++) feed.publish('alerts', 'x'.repeat(100_000));
    expect(feed.since(start)).toBeUndefined();
    feed.publish('alerts', 'x'.repeat(5_000_000));
    expect(feed.since(start)).toBeUndefined();
    expect(feed.since(feed.position())).toEqual([]);
  });

  it('says that everything must be read again when something went untold [P85]', () => {
    const feed = new LiveFeed();
    const start = feed.expect(NOW);
    feed.skip();
    expect(feed.since(start)).toBeUndefined();
  });

  it('drops who can not take more, and works only while somebody may listen [P86]', () => {
    const feed = new LiveFeed();
    const heard: FeedEvent[] = [];
    feed.subscribe(() => false, NOW);
    const leave = feed.subscribe((event) => heard.push(event) > 0, NOW);
    feed.publish('alerts', 1);
    expect([feed.subscribers, heard.length]).toEqual([1, 1]);
    leave();
    expect(feed.wanted(NOW + 59_000)).toBe(true);
    expect(feed.wanted(NOW + 61_000)).toBe(false);
  });
});

describe('what a process remembers for the page', () => {
  it('counts by the minute for an hour [P87]', () => {
    const minutes = new Minutes();
    minutes.add(NOW, NOW, 2);
    minutes.add(NOW - 30 * 60_000, NOW);
    minutes.add(NOW - 61 * 60_000, NOW);
    expect(minutes.read(NOW).at(-1)).toBe(2);
    expect(minutes.read(NOW).reduce((a, b) => a + b)).toBe(3);
    expect(minutes.read(NOW + 45 * 60_000).reduce((a, b) => a + b)).toBe(2);
    expect(minutes.read(NOW + 3 * 3_600_000)).toEqual(Array.from({ length: 60 }, () => 0));
  });

  it('tells a channel that fails from one that is down, one that works and one that was not used [P88]', () => {
    const watch = new ChannelWatch(['slack', 'smtp', 'log']);
    const gate = (breaker: 'closed' | 'open') => ({ waiting: 0, active: 0, breaker, throttledMs: 0 });
    const failed = {
      type: 'attempt.failed',
      id: '1',
      channel: 'slack',
      attempt: 1,
      verdict: 'transient',
      ms: 9,
      error: 'no',
    } as DeliveryEvent;
    watch.see(failed, NOW);
    watch.see(
      {
        type: 'alert.delivered',
        id: '1',
        channel: 'smtp',
        attempts: 1,
        ms: 30,
        late: false,
        durable: true,
      } as DeliveryEvent,
      NOW,
    );
    expect(watch.read({}).map(({ state }) => state)).toEqual(['failing', 'ok', 'idle']);
    expect(watch.read({ slack: gate('open') })[0]).toMatchObject({ state: 'down', since: NOW, error: 'no' });
    watch.see(
      {
        type: 'alert.delivered',
        id: '2',
        channel: 'slack',
        attempts: 1,
        ms: 10,
        late: false,
        durable: true,
      } as DeliveryEvent,
      NOW,
    );
    expect(watch.read({ slack: gate('closed') })[0]).toMatchObject({ state: 'ok', sent: 1, failed: 1, p95Ms: 10 });
  });

  it('counts what is pending though nothing works on it, once that lasts [P89]', () => {
    const activity = new Activity([], NOW);
    activity.delivery({ type: 'alert.accepted', id: 'a', severity: 'info', durable: true }, NOW);
    expect([activity.stuck(3, NOW), activity.stuck(3, NOW + 59_000), activity.stuck(3, NOW + 61_000)]).toEqual([
      0, 0, 2,
    ]);
    expect([activity.stuck(1, NOW + 62_000), activity.stuck(2, NOW + 63_000)]).toEqual([0, 0]);
  });

  it('is bounded in copies and refusals [P90]', () => {
    const activity = new Activity([], NOW);
    for (let n = 0; n < 100; n++) {
      activity.absorbed('n', { at: n, sender: 's', why: 'joined' });
      activity.refuse({ at: n, from: 'x', why: 'y', body: '' });
    }
    expect(activity.copiesOf('n')).toMatchObject({ count: 100 });
    expect(activity.copiesOf('n').newest).toHaveLength(20);
    expect([activity.refused, activity.refusals.length]).toEqual([100, 5]);
  });

  it('holds a store for failed until it works again [P91]', () => {
    const watch = new StoreWatch('delivery', ['alert.accepted']);
    watch.check();
    watch.see({ type: 'store.failed', reason: 'ENOSPC' });
    expect(() => watch.check()).toThrow('the delivery store failed: ENOSPC');
    watch.see({ type: 'alert.accepted', durable: false });
    expect(() => watch.check()).toThrow();
    watch.see({ type: 'alert.accepted', durable: true });
    watch.check();
  });
});

describe('sessions', () => {
  it('end after twelve hours, and with the token [P92]', () => {
    const sessions = new Sessions('token');
    const { value } = sessions.create(NOW);
    expect(sessions.holds(value, NOW + 11 * 3_600_000)).toBe(true);
    expect(sessions.holds(value, NOW + 13 * 3_600_000)).toBe(false);
    expect(new Sessions('token').holds(value, NOW)).toBe(true);
    expect(new Sessions('another').holds(value, NOW)).toBe(false);
    expect(sessions.holds(`${value.slice(0, -1)}_`, NOW)).toBe(false);
  });

  it('are refused for a minute to an address that guesses, not to others [P93]', () => {
    const limit = new LoginLimit();
    for (let n = 0; n < 10; n++) limit.failed('a', NOW);
    expect([limit.allows('a', NOW), limit.allows('b', NOW), limit.allows('a', NOW + 61_000)]).toEqual([
      false,
      true,
      true,
    ]);
    for (let n = 0; n < 100; n++) limit.failed(`x${n}`, NOW);
    expect(limit.allows('b', NOW)).toBe(false);
  });
});
