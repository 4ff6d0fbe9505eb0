import { setMaxListeners } from 'node:events';
import * as cockatiel from 'cockatiel';
import NotifmeSdk from 'notifme-sdk';
import CircuitBreaker from 'opossum';
import pRetry from 'p-retry';
import pTimeout from 'p-timeout';

/** One message to a provider, as its own code would send it. */
export type Send = (signal?: AbortSignal) => Promise<void>;

/** A way to send one message with what a library does around it. */
export interface Peer {
  readonly who: string;
  readonly kind: 'peer' | 'floor';
  /** Made once, as each README says. */
  make(send: Send): () => Promise<unknown>;
}

const TIMEOUT_MS = 10_000;

export const peers: readonly Peer[] = [
  { who: 'the send alone', kind: 'floor', make: (send) => () => send() },
  {
    who: 'p-retry 7 + p-timeout 7',
    kind: 'peer',
    make: (send) => () => pRetry(() => pTimeout(send(), { milliseconds: TIMEOUT_MS }), { retries: 2 }),
  },
  {
    who: 'cockatiel 3',
    kind: 'peer',
    make(send) {
      // All of its calls without a signal share one that never aborts, and its timeout listens there while it waits.
      void cockatiel.retry(cockatiel.handleAll, { maxAttempts: 0 }).execute(({ signal }) => setMaxListeners(0, signal));
      const policy = cockatiel.wrap(
        cockatiel.retry(cockatiel.handleAll, { maxAttempts: 2, backoff: new cockatiel.ExponentialBackoff() }),
        cockatiel.circuitBreaker(cockatiel.handleAll, {
          halfOpenAfter: 30_000,
          breaker: new cockatiel.ConsecutiveBreaker(5),
        }),
        cockatiel.timeout(TIMEOUT_MS, cockatiel.TimeoutStrategy.Aggressive),
      );
      return () => policy.execute(({ signal }) => send(signal));
    },
  },
  {
    who: 'opossum 9',
    kind: 'peer',
    make(send) {
      const breaker = new CircuitBreaker(() => send(), { timeout: TIMEOUT_MS });
      return () => breaker.fire();
    },
  },
  {
    who: 'notifme-sdk 1',
    kind: 'peer',
    make(send) {
      const Sdk = ((NotifmeSdk as unknown as { default?: unknown }).default ?? NotifmeSdk) as new (
        options: object,
      ) => {
        send(request: object): Promise<unknown>;
      };
      const sdk = new Sdk({
        useNotificationCatcher: false,
        channels: {
          webpush: {
            providers: [
              {
                type: 'custom',
                id: 'bench',
                send: async () => {
                  await send();
                  return 'id';
                },
              },
            ],
          },
        },
      });
      return () => sdk.send({ webpush: { subscription: {}, title: 't', body: 'b' } });
    },
  },
];
