import { describe, it } from 'vitest';
import { type SituationName, situations } from '../fixtures/situations.js';

/** Each once on the running node; the chaos part runs each 20 times on Node 20, 22, 24 and 26. */
const promised: Record<string, SituationName> = {
  '[P19] SIGTERM loses and resets nothing, 50 keep-alive clients': 'A',
  '[P19] SIGTERM loses and resets nothing, 50 clients with one connection a request': 'A2',
  '[P19] SIGTERM loses and resets nothing, 50 mixed clients, some slower': 'A3',
  '[P20] of 50 clients that connect as fast as they can, at most five lose their request': 'N',
  '[P20] none does with a readiness delay that the balancer heeds': 'N, readiness delay',
  '[P49] a balancer with a pool loses nothing without a readiness delay': 'Z0',
  '[P49] a balancer that follows readiness loses nothing in a delay of 3 s, and is told close meanwhile': 'Z3',
  '[P50] pooled connections that stay pinned are told close and ended, and lose nothing': 'Z4',
  '[P21] a body that drips is answered 408 and the exit comes in seconds': 'slow body',
  '[P23] silent connections and half-sent heads hold nothing up': 'silent connection and half a head',
  '[P27] event streams are told by the signal; the deaf get a last event': 'event streams',
  '[P51] ten requests in flight are answered, and the database is closed when nobody uses it': '10 in flight, 200 ms',
  '[P51] the same with requests of 3 s': '10 in flight, 3 s',
  '[P16] a job ends before the database is closed': 'job after its answer',
  '[P10] two signals within 100 ms are one, a later one forces: 143 and 130': 'second signal',
  '[P30] an uncaught exception and an unhandled rejection drain first, exit 70': 'uncaught exception',
  '[P30] one during the drain does not stop the drain, exit 70': 'uncaught exception during the drain',
  '[P26] ten answers of 16 MB that are being written are completed': '16 MB being written',
  '[P24] requests on kept-alive connections just after the signal are served, with close': 'kept-alive, just after',
  '[P39] HTTP/2 sessions get GOAWAY, streams in flight end, new ones are refused': 'HTTP/2',
  '[P15] a signal while starting aborts the start, undoes it and exits 0': 'still starting',
  '[P32] deadline answers are received by three kinds of client': 'deadlines',
};

describe.concurrent('SIGTERM', () => {
  for (const [title, name] of Object.entries(promised)) it(title, async () => void (await situations[name]()));
});
