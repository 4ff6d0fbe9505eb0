import { describe, expect, it } from 'vitest';
import { parsePayload } from '../../src/payload.js';

const code = (body: unknown) => {
  try {
    parsePayload(body);
    return 'accepted';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('parsePayload', () => {
  it('takes whatever has alerts, and says what is odd [P94]', () => {
    const { payload, rejected } = parsePayload({ version: '7', alerts: [{ labels: { a: 1, b: true } }], more: {} });
    expect(rejected).toEqual([]);
    expect(payload).toMatchObject({
      status: 'firing',
      receiver: '',
      truncatedAlerts: 0,
      oddities: ['no groupKey', 'version 7'],
    });
    expect(payload.alerts[0]).toMatchObject({ status: 'firing', labels: { a: '1', b: 'true' }, annotations: {} });
  });

  it('refuses what has none [P95]', () => {
    for (const body of [undefined, null, 7, 'x', [], [1]])
      expect([body, code(body)]).toEqual([body, 'invalid_payload']);
    for (const alerts of [undefined, null, {}, 'x', []])
      expect([alerts, code({ alerts })]).toEqual([alerts, 'no_alerts']);
  });

  it('keeps good alerts beside bad ones, and the bad ones as they came [P96]', () => {
    const bad = [null, 7, { labels: 7 }, { labels: { a: {} } }, { annotations: [] }, { status: 'odd' }];
    const { payload, rejected } = parsePayload({ alerts: [...bad, { labels: { alertname: 'good' } }] });
    expect(payload.alerts).toHaveLength(1);
    expect(rejected.map(({ raw }) => raw)).toEqual(bad);
    expect(rejected.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('identifies an alert by its labels, in any order, when there is no fingerprint [P97]', () => {
    const id = (labels: object) => parsePayload({ alerts: [{ labels }] }).payload.alerts[0]!.fingerprint;
    expect(id({ a: '1', b: '2' })).toBe(id({ b: '2', a: '1' }));
    expect(id({ a: '1' })).not.toBe(id({ a: '2' }));
  });

  it('is resolved only when every alert is, and drops times that are none [P98]', () => {
    const { payload } = parsePayload({
      alerts: [{ status: 'resolved', startsAt: 'yesterday', endsAt: '0001-01-01T00:00:00Z' }, { status: 'firing' }],
    });
    expect(payload.status).toBe('firing');
    expect(payload.alerts[0]).not.toHaveProperty('startsAt');
    expect(payload.alerts[0]).not.toHaveProperty('endsAt');
    expect(parsePayload({ alerts: [{ status: 'resolved' }] }).payload.status).toBe('resolved');
  });
});
