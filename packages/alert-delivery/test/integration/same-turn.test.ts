import { type Clock, manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { type Channel, type DeliveryEvent, openDelivery, type SendContext } from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

const LIMIT_MS = 1000;

/** A clock on which `beside` runs in the turn of the timer of an attempt's limit, before or after it. */
function clockWith(
  order: 'answer first' | 'time first',
  beside: () => void,
): Clock & { advance(ms: number): Promise<void> } {
  const clock = manualClock();
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    advance: (ms) => clock.advance(ms),
    schedule(ms, fn, options) {
      const both = (): void => {
        if (order === 'answer first') beside();
        fn();
        if (order === 'time first') beside();
      };
      return clock.schedule(ms, ms === LIMIT_MS ? both : fn, options);
    },
  };
}

describe('an answer', () => {
  for (const order of ['answer first', 'time first'] as const) {
    it(`that comes in the same turn as the end of the time is a success and not late, ${order} [P86]`, async () => {
      let answer: (() => void) | undefined;
      const clock = clockWith(order, () => answer?.());
      const events: DeliveryEvent[] = [];
      const asked: SendContext[] = [];
      const slow: Channel = {
        name: 'slow',
        send(_alert, context) {
          asked.push(context);
          return new Promise((resolve) => (answer = () => resolve(undefined)));
        },
      };
      const sent: string[] = [];
      const next: Channel = { name: 'next', send: async ({ id }) => void sent.push(id) };
      await using delivery = await openDelivery({
        chain: [{ channel: slow, timeoutMs: LIMIT_MS, retries: 0 }, { channel: next }],
        store: memoryStore(),
        clock,
        deadlineMs: 5000,
        onEvent: (event) => events.push(event),
      });
      const outcome = delivery.notify({ id: 'x', title: 't', severity: 'error' });
      await clock.advance(LIMIT_MS);
      expect(await outcome).toMatchObject({
        status: 'delivered',
        channel: 'slow',
        attempts: [{ verdict: 'delivered' }],
      });
      expect(asked).toHaveLength(1);
      expect(asked[0]!.signal.aborted).toBe(false);
      expect(sent).toEqual([]);
      expect(events.filter(({ type }) => type === 'late-success.seen')).toEqual([]);
    });
  }
});
