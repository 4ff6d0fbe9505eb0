import { describe, expect, it } from 'vitest';
import { type Alert, type Channel, isDeliveryError, openDelivery, type StoredAlert } from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

const throwing = (name: string): Alert =>
  Object.defineProperty({ title: 't', severity: 'info' } as Alert, name, {
    get() {
      throw new Error('a getter');
    },
    enumerable: true,
  });
const circular: Record<string, unknown> = {};
circular.self = [circular];
let deep: unknown = 'bottom';
for (let n = 0; n < 500; n++) deep = { deep };

/** What is refused, and at which path; what is accepted, and how it arrives. */
const TABLE: readonly [string, unknown, { path: string } | Partial<StoredAlert>][] = [
  ['nothing', undefined, { path: '' }],
  ['no title', { severity: 'info' }, { path: 'title' }],
  ['a blank title', { title: ' ', severity: 'info' }, { path: 'title' }],
  ['an id that is too long', { id: 'x'.repeat(513), title: 't', severity: 'info' }, { path: 'id' }],
  ['an id with half a character', { id: '\ud800', title: 't', severity: 'info' }, { path: 'id' }],
  ['a body that is no text', { title: 't', severity: 'info', body: {} }, { path: 'body' }],
  ['a status that is none', { title: 't', severity: 'info', status: 'maybe' }, { path: 'status' }],
  ['a getter that throws', throwing('title'), { path: 'title' }],
  ['more than 24 MB', { title: 't', severity: 'info', data: 'x'.repeat(25 * 1024 * 1024) }, { path: 'data' }],
  ['a severity that is none', { title: 't', severity: 'page' }, { severity: 'critical' }],
  ['a title with half a character', { title: 'a\udfffb', severity: 'info' }, { title: 'a\ufffdb' }],
  ['a circle', { title: 't', severity: 'info', data: circular }, { data: { self: ['[circular]'] } }],
  [
    'a bigint and a date',
    { title: 't', severity: 'info', data: [1n, new Date(0), NaN] },
    { data: ['1n', '1970-01-01T00:00:00.000Z', '[NaN]'] },
  ],
  ['too deep', { title: 't', severity: 'info', data: deep }, {}],
  [
    'getters in data that throw',
    { title: 't', severity: 'info', data: throwing('x') },
    { data: { title: 't', severity: 'info', x: '[unreadable: a getter]' } as never },
  ],
  ['10 MB of body', { title: 't', severity: 'info', body: 'é'.repeat(5 * 1024 * 1024) }, {}],
];

describe('bad input', () => {
  for (const [name, input, expected] of TABLE) {
    it(`is refused with its path before it is accepted, or arrives safely: ${name} [P73]`, async () => {
      const got: StoredAlert[] = [];
      const channel: Channel = { name: 'a', send: async (alert) => void got.push(alert) };
      await using delivery = await openDelivery({ chain: [{ channel }], store: memoryStore() });
      if ('path' in expected) {
        const error: unknown = await delivery.accept(input as Alert).catch((reason: unknown) => reason);
        expect(isDeliveryError(error, 'DELIVERY_INVALID_ALERT') && error.path).toBe(expected.path);
        expect(delivery.stats().accepted).toBe(0);
      } else {
        expect(await delivery.notify(input as Alert)).toMatchObject({ status: 'delivered' });
        expect(got[0]).toMatchObject(expected);
        expect(JSON.parse(JSON.stringify(got[0]))).toEqual(got[0]);
      }
    });
  }
});
