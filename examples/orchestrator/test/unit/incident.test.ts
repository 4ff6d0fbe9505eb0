import { describe, expect, it } from 'vitest';
import { busyHours, byName, type Fate, flapsOf, type Happening, type Incident, learn } from '../../src/incident.js';
import { parsePayload } from '../../src/payload.js';

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();

function happening(id: string, minute: number, alerts: object[], fate: Fate = { channel: 'slack' }): Happening {
  return { id, acceptedAt: Date.parse(at(minute)), payload: parsePayload({ alerts }).payload, fate };
}
const firing = (start: number, labels: object = {}) => ({
  status: 'firing',
  labels: { alertname: 'A', instance: 'a', ...labels },
  startsAt: at(start),
});
const resolved = (start: number, end: number, labels: object = {}) => ({
  ...firing(start, labels),
  status: 'resolved',
  endsAt: at(end),
});

describe('learn', () => {
  it('counts incidents, not notifications: a repeat and a resolved notice are of the same one [P62]', () => {
    const known = learn(undefined, 'A', [
      happening('1', 1, [firing(0)]),
      happening('2', 60, [firing(0)]),
      happening('3', 90, [resolved(0, 89)]),
    ]);
    expect(known).toMatchObject({
      seen: 1,
      notifications: 3,
      resolved: 1,
      longestMs: 89 * 60_000,
      channels: { slack: 3 },
    });
  });

  it('comes to the same numbers in any grouping, with any part of it told again [P63]', () => {
    const story = [
      happening('1', 1, [firing(0), firing(0, { instance: 'b' })]),
      happening('2', 5, [resolved(0, 4), firing(0, { instance: 'b' })]),
      happening('3', 9, [firing(8)], { dead: true }),
      happening('4', 20, [resolved(8, 19), resolved(0, 19, { instance: 'b' })]),
    ];
    const whole = learn(undefined, 'A', story);
    const parts = story.reduce<Incident | undefined>((known, each) => learn(known, 'A', [each]), undefined)!;
    const again = learn(learn(undefined, 'A', story.slice(0, 3)), 'A', story);
    const numbers = ({ seen, notifications, resolved: ended, dead, totalMs, channels, flaps }: Incident) => ({
      seen,
      notifications,
      ended,
      dead,
      totalMs,
      channels,
      flaps,
    });
    expect(numbers(parts)).toEqual(numbers(whole));
    expect(numbers(again)).toEqual(numbers(whole));
    expect(numbers(whole)).toEqual({
      seen: 3,
      notifications: 4,
      ended: 3,
      dead: 1,
      totalMs: (4 + 11 + 19) * 60_000,
      channels: { slack: 3 },
      flaps: 1,
    });
    expect(learn(whole, 'A', story)).toBe(whole);
  });

  it('moves a notification from pending to how it ended, once [P64]', () => {
    const pending = learn(undefined, 'A', [happening('1', 1, [firing(0)], { pending: true })]);
    expect(pending).toMatchObject({ notifications: 1, channels: {}, dead: 0 });
    const ended = learn(pending, 'A', [happening('1', 1, [firing(0)], { channel: 'email' })]);
    expect(ended).toMatchObject({ notifications: 1, channels: { email: 1 } });
    expect(learn(ended, 'A', [happening('1', 1, [firing(0)], { channel: 'email' })])).toBe(ended);
  });

  it('keeps what a person wrote, and starts over on what a person wrote over [P65]', () => {
    const known = { ...learn(undefined, 'A', [happening('1', 1, [firing(0)])]), fix: 'restart', note: 'mine' };
    expect(learn(known, 'A', [happening('2', 5, [firing(4)])])).toMatchObject({
      fix: 'restart',
      note: 'mine',
      seen: 2,
    });
    const over = { id: 'incident:A', title: 'by hand', body: 'x', extra: 1 };
    expect(learn(over, 'A', [happening('2', 5, [firing(4)])])).toMatchObject({
      seen: 1,
      extra: 1,
      category: 'incident',
    });
  });

  it('stays bounded, and does not count again what it let go [P66]', () => {
    const storm = Array.from({ length: 500 }, (_, n) =>
      happening(`n${n}`, n + 1, [resolved(n, n + 1, { instance: `i${n}` })]),
    );
    const known = learn(undefined, 'A', storm);
    expect(known).toMatchObject({ notifications: 500, seen: 500 });
    expect(known.counted.length).toBeLessThanOrEqual(200);
    expect(learn(known, 'A', storm.slice(0, 100))).toBe(known);
    expect(
      JSON.stringify(
        learn(known, 'A', [
          happening(
            'big',
            600,
            Array.from({ length: 5_000 }, (_, n) => firing(600, { instance: `x${n}` })),
          ),
        ]),
      ).length,
    ).toBeLessThan(300_000);
  });

  it('sees flapping and busy hours [P67]', () => {
    const episodes = Array.from({ length: 6 }, (_, n) => ({
      key: `f@${at(n * 10)}`,
      startsAt: at(n * 10),
      endsAt: at(n * 10 + 5),
    }));
    expect(flapsOf(episodes)).toBe(5);
    expect(flapsOf(episodes.map((each, n) => ({ ...each, key: `${n}@` })))).toBe(0);
    const nightly = Array.from({ length: 6 }, (_, day) => ({ key: `${day}@`, startsAt: at(day * 1_440 + 150 + day) }));
    expect(busyHours(nightly)).toEqual([0, 3]);
    expect(busyHours(nightly.slice(0, 4))).toBeUndefined();
    expect(busyHours(Array.from({ length: 50 }, () => nightly[0]!))).toBeUndefined();
    expect(busyHours(Array.from({ length: 24 }, (_, n) => ({ key: `${n}@`, startsAt: at(n * 60) })))).toBeUndefined();
  });
});

describe('byName', () => {
  it('gives each name its notifications once, oldest first [P68]', () => {
    const names = byName([
      happening('2', 2, [firing(0), firing(1)]),
      happening('1', 1, [firing(0, { alertname: 'B' }), firing(0)]),
    ]);
    expect([...names].map(([name, list]) => [name, list.map(({ id }) => id)])).toEqual([
      ['B', ['1']],
      ['A', ['1', '2']],
    ]);
  });
});
