import { describe, expect, it } from 'vitest';
import { AlertBook } from '../../src/alert-book.js';
import { parsePayload } from '../../src/payload.js';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const post = (id: string, at: number, names: string[], status = 'firing') => ({
  id,
  acceptedAt: at,
  payload: parsePayload({ receiver: 'r', alerts: names.map((alertname) => ({ status, labels: { alertname } })) })
    .payload,
});
const book = (maxAlerts = 100) => new AlertBook({ maxAlerts, confirmedForMs: HOUR });

describe('AlertBook', () => {
  it('comes to the same from the same posts in any order, however often they are told [P55]', () => {
    const posts = [
      post('1', NOW, ['A', 'B']),
      post('2', NOW + 1, ['A'], 'resolved'),
      post('3', NOW + 2, ['A']),
      post('4', NOW + 3, ['C']),
    ];
    const forth = book();
    for (const each of [...posts, ...posts]) forth.apply(each);
    const back = book();
    for (const each of [...posts].reverse()) back.apply(each);
    const shown = (each: AlertBook) =>
      each
        .list({ limit: 10 }, NOW + 4)
        .alerts.map((alert) => [
          alert.labels.alertname,
          alert.status,
          alert.firstAt,
          alert.lastAt,
          alert.notifications,
        ]);
    expect(shown(back).sort()).toEqual(shown(forth).sort());
    expect(shown(forth).sort()[0]).toEqual(['A', 'firing', NOW, NOW + 2, ['3', '2', '1']]);
  });

  it('calls an alert unconfirmed when nothing was heard of it for longer than it repeats, and says when that happens [P56]', () => {
    const alerts = book();
    alerts.apply(post('1', NOW, ['A']));
    alerts.apply(post('2', NOW, ['B'], 'resolved'));
    expect(alerts.counts(NOW + HOUR)).toEqual({ firing: 1, unconfirmed: 0, resolved: 1 });
    expect(alerts.counts(NOW + HOUR + 1)).toEqual({ firing: 0, unconfirmed: 1, resolved: 1 });
    expect(alerts.becameUnconfirmed(NOW + HOUR, NOW + HOUR + 1)).toHaveLength(1);
    expect(alerts.becameUnconfirmed(NOW + HOUR + 1, NOW + 2 * HOUR)).toEqual([]);
    alerts.apply(post('3', NOW + HOUR + 5, ['A']));
    expect(alerts.counts(NOW + HOUR + 6)).toMatchObject({ firing: 1, unconfirmed: 0 });
  });

  it('holds at most what it was told to, letting go of what was not heard of for longest, and counts that [P57]', () => {
    const alerts = book(10);
    for (let n = 0; n < 25; n++) alerts.apply(post(`${n}`, NOW + n, [`N${n}`]));
    expect([alerts.size, alerts.evicted]).toEqual([10, 15]);
    expect(alerts.list({ limit: 1 }, NOW + 30).alerts[0]!.labels.alertname).toBe('N24');
    expect(alerts.list({ limit: 3, status: 'resolved' }, NOW + 30)).toEqual({ alerts: [], total: 0 });
  });
});
