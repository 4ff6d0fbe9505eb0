import { describe, expect, it } from 'vitest';
import {
  BODY_GRACE_MS,
  type Connection,
  type ConnectionEvent,
  type DrainFacts,
  decide,
  FRESH_GRACE_MS,
  STREAM_GRACE_MS,
  step,
} from '../../src/connection.js';

const states = {
  fresh: { kind: 'fresh', sinceMs: 0, read: 0 },
  head: { kind: 'head', sinceMs: 10, idleSinceMs: undefined },
  'head of a kept-alive one': { kind: 'head', sinceMs: 10, idleSinceMs: 5 },
  idle: { kind: 'idle', sinceMs: 5, read: 100 },
  active: { kind: 'active', open: 1 },
  'two active': { kind: 'active', open: 2 },
  receiving: { kind: 'receiving', open: 1, read: 100, sampledMs: 0, bytesPerSecond: undefined },
  handling: { kind: 'handling', open: 1 },
  sending: { kind: 'sending', open: 1, unsent: 50, progressMs: 3 },
  upgraded: { kind: 'upgraded', protocol: 'websocket', sinceMs: 1 },
  ending: { kind: 'ending', untilMs: 300 },
  closed: { kind: 'closed' },
} satisfies Record<string, Connection>;

const look = (part: Partial<Extract<ConnectionEvent, { type: 'sampled' }>>): ConnectionEvent => ({
  type: 'sampled',
  atMs: 1000,
  read: 100,
  body: 'complete',
  answerBegun: false,
  unsent: 0,
  ...part,
});
const events = {
  request: { type: 'request' },
  answered: { type: 'answered', atMs: 1000, read: 200 },
  upgraded: { type: 'upgraded', atMs: 1000, protocol: 'other' },
  'looked at, body complete': look({}),
  'looked at, body arriving': look({ body: 'arriving', read: 150 }),
  'looked at, body blocked': look({ body: 'blocked', read: 150 }),
  'looked at, answer stuck': look({ answerBegun: true, unsent: 50 }),
  'looked at, answer taken': look({ answerBegun: true }),
  ended: { type: 'ended', atMs: 1000, graceMs: 250 },
  closed: { type: 'closed' },
} satisfies Record<string, ConnectionEvent>;

/** What each state becomes; rows are states, columns events in the order above. `=` is no change. */
const table: Record<keyof typeof states, string> = {
  fresh: 'active:1 = upgraded head head head head head ending closed',
  head: 'active:1 = upgraded = = = = = ending closed',
  'head of a kept-alive one': 'active:1 = upgraded = = = = = ending closed',
  idle: 'active:1 = upgraded = head head = = ending closed',
  active: 'active:2 idle upgraded handling:1 receiving:1 receiving:1 sending:1 handling:1 ending closed',
  'two active': 'active:3 active:1 upgraded handling:2 receiving:2 receiving:2 sending:2 handling:2 ending closed',
  receiving: 'active:2 idle upgraded handling:1 receiving:1 receiving:1 sending:1 handling:1 ending closed',
  handling: 'active:2 idle upgraded = receiving:1 receiving:1 sending:1 = ending closed',
  sending: 'active:2 idle upgraded handling:1 receiving:1 receiving:1 = handling:1 ending closed',
  upgraded: '= = = = = = = = ending closed',
  ending: '= = = = = = = = = closed',
  closed: '= = = = = = = = = =',
};

describe('step', () => {
  for (const [name, row] of Object.entries(table)) {
    const from: Connection = states[name as keyof typeof states];
    const cells = row.split(' ');
    Object.entries(events).forEach(([what, event], column) => {
      it(`[P1] ${name} + ${what} is ${cells[column]}`, () => {
        const to = step(from, event);
        const shown = `${to.kind}${'open' in to ? `:${to.open}` : ''}`;
        if (cells[column] === '=') expect(to).toEqual(from);
        else expect(shown).toBe(cells[column]);
      });
    });
  }

  it('[P1] a body is judged over a window of its own, and never while the handler does not read', () => {
    const first = step(states.active, look({ body: 'arriving', atMs: 0, read: 0 }));
    expect(first).toMatchObject({ bytesPerSecond: undefined });
    expect(step(first, look({ body: 'arriving', atMs: 500, read: 9 }))).toEqual(first);
    expect(step(first, look({ body: 'arriving', atMs: 2000, read: 2 }))).toMatchObject({ bytesPerSecond: 1 });
    expect(step(first, look({ body: 'blocked', atMs: 2000, read: 2 }))).toMatchObject({ bytesPerSecond: undefined });
  });

  it('[P1] a stuck answer keeps the time of its last progress', () => {
    const stuck = step(states.sending, look({ answerBegun: true, unsent: 50 }));
    expect(stuck).toMatchObject({ progressMs: 3 });
    expect(step(stuck, look({ answerBegun: true, unsent: 40 }))).toMatchObject({ progressMs: 1000 });
  });
});

const limits = { headersTimeoutMs: 10_000, writeStallMs: 30_000 };
const drain: DrainFacts = { startedMs: 10_000, deadlineMs: 40_000, keepAliveTimeoutMs: 5_000, keepAliveGraceMs: 5_000 };

describe('decide', () => {
  it('[P2] while serving only slow heads and stalled readers are acted on', () => {
    expect(decide(states.fresh, limits, undefined, 9_999)).toEqual({ do: 'wait', untilMs: 10_000 });
    expect(decide(states.fresh, limits, undefined, 10_000)).toEqual({ do: 'end' });
    expect(decide(states.head, limits, undefined, 10_010)).toEqual({ do: 'reject-head' });
    expect(decide(states.sending, limits, undefined, 30_003)).toEqual({ do: 'cut', why: 'stalled' });
    for (const state of [states.idle, states.active, states.receiving, states.handling, states.upgraded])
      expect(decide(state, limits, undefined, 1e9)).toMatchObject({ do: 'wait' });
  });

  it('[P3] an idle connection is kept until the promise made with its last answer runs out', () => {
    const idle: Connection = { kind: 'idle', sinceMs: 8_000, read: 0 };
    expect(decide(idle, limits, drain, 10_000)).toEqual({ do: 'wait', untilMs: 13_000 });
    expect(decide(idle, limits, drain, 13_000)).toEqual({ do: 'end' });
    expect(decide(idle, limits, { ...drain, keepAliveGraceMs: 1_000 }, 10_000)).toEqual({
      do: 'wait',
      untilMs: 11_000,
    });
    expect(decide(idle, limits, { ...drain, keepAliveTimeoutMs: 0 }, 10_000)).toEqual({ do: 'wait', untilMs: 15_000 });
    expect(decide(idle, limits, { ...drain, deadlineMs: 10_100 }, 10_100)).toEqual({ do: 'end' });
  });

  it('[P4] a connection that never carried a request, and half a head, end after 500 ms', () => {
    expect(decide(states.fresh, limits, drain, 10_499)).toMatchObject({ do: 'wait', untilMs: 10_000 + FRESH_GRACE_MS });
    expect(decide(states.fresh, limits, drain, 10_500)).toEqual({ do: 'end' });
    expect(decide(states.head, limits, drain, 10_500)).toEqual({ do: 'reject-head' });
  });

  it('[P5] a body below 240 bytes a second is answered 408 after 2 s, a faster one only at the deadline', () => {
    const at = (bytesPerSecond: number, nowMs: number) =>
      decide({ kind: 'receiving', open: 1, read: 0, sampledMs: 10_000, bytesPerSecond }, limits, drain, nowMs);
    expect(at(1, 11_999)).toMatchObject({ do: 'wait', untilMs: 10_000 + BODY_GRACE_MS });
    expect(at(1, 12_000)).toEqual({ do: 'answer-408' });
    expect(at(240, 12_000)).toMatchObject({ do: 'wait' });
    expect(at(1e9, 40_000)).toEqual({ do: 'answer-408' });
  });

  it('[P6] a reader that takes nothing is cut as stalled, one that is slow only at the deadline', () => {
    const at = (progressMs: number, nowMs: number, stall = 30_000) =>
      decide({ kind: 'sending', open: 1, unsent: 1, progressMs }, { ...limits, writeStallMs: stall }, drain, nowMs);
    expect(at(10_100, 10_600, 500)).toEqual({ do: 'cut', why: 'stalled' });
    expect(at(39_000, 39_500)).toEqual({ do: 'wait', untilMs: 39_750 });
    expect(at(39_000, 40_000)).toEqual({ do: 'cut', why: 'timeout' });
    expect(at(10_100, 40_000, 60_000)).toEqual({ do: 'cut', why: 'stalled' });
  });

  it('[P7] a stream that ignores the signal is told goodbye after 2 s, a handler at work only cut at the deadline', () => {
    expect(decide(states.upgraded, limits, drain, 10_000)).toEqual({ do: 'wait', untilMs: 10_000 + STREAM_GRACE_MS });
    expect(decide(states.upgraded, limits, drain, 12_000)).toEqual({ do: 'say-goodbye' });
    expect(decide(states.handling, limits, drain, 12_000, true)).toEqual({ do: 'say-goodbye' });
    expect(decide(states.handling, limits, drain, 39_999)).toMatchObject({ do: 'wait' });
    expect(decide(states.handling, limits, drain, 40_000)).toEqual({ do: 'cut', why: 'timeout' });
    expect(decide({ ...states.upgraded, protocol: 'other' }, limits, drain, 40_000)).toEqual({
      do: 'cut',
      why: 'timeout',
    });
  });
});
