import { describe, expect, it } from 'vitest';
import { storedAlert } from '../../src/alert.js';
import { type BreakerState, breaker, CLOSED } from '../../src/breaker.js';
import { afterFailure, nextMove, type StepEnd } from '../../src/decide.js';
import { verdictOf } from '../../src/http-post.js';
import { ChannelError, isDeliveryError } from '../../src/index.js';
import { type LifeEvent, progressOf } from '../../src/life.js';
import { redactor } from '../../src/redact.js';
import { SLACK_RULES } from '../../src/slack.js';
import { cutBytes } from '../../src/text.js';
import { failureOf, retryAfterMs } from '../../src/verdict.js';

const options = { failures: 3, openMs: 100, maxOpenMs: 300 };

describe('breaker', () => {
  const fail = (state: BreakerState, now: number, probe = false): BreakerState =>
    breaker(state, { type: 'ended', verdict: 'transient', probe }, now, options).state;

  it('opens after consecutive failures, lets one probe through, and doubles after a failed one [P12]', () => {
    let state: BreakerState = CLOSED;
    for (let n = 0; n < 3; n++) state = fail(state, 0);
    expect(state).toEqual({ state: 'open', until: 100, openMs: 100 });
    expect(breaker(state, { type: 'asked' }, 99, options).go).toBe(false);
    const probe = breaker(state, { type: 'asked' }, 100, options);
    expect([probe.go, probe.probe]).toEqual([true, true]);
    expect(breaker(probe.state, { type: 'asked' }, 100, options).go).toBe(false);
    const again = fail(probe.state, 150, true);
    expect(again).toEqual({ state: 'open', until: 350, openMs: 200 });
    const third = breaker(again, { type: 'asked' }, 350, options).state;
    expect(fail(third, 350, true)).toEqual({ state: 'open', until: 650, openMs: 300 });
    expect(breaker(third, { type: 'ended', verdict: 'delivered', probe: true }, 350, options).state).toEqual(CLOSED);
  });

  it('opens at once when the channel is down, and never for a rejected message or a pause [P13]', () => {
    expect(breaker(CLOSED, { type: 'ended', verdict: 'channelDown', probe: false }, 0, options).state.state).toBe(
      'open',
    );
    for (const verdict of ['rejected', 'throttled'] as const) {
      expect(breaker(CLOSED, { type: 'ended', verdict, probe: false }, 0, options).state).toEqual(CLOSED);
      const probing = { state: 'half-open', probing: true, openMs: 100 } as const;
      expect(breaker(probing, { type: 'ended', verdict, probe: true }, 0, options).state).toEqual({
        ...probing,
        probing: false,
      });
    }
  });
});

describe('nextMove', () => {
  const route = [
    { name: 'a', timeoutMs: 1000 },
    { name: 'b', timeoutMs: 1000 },
  ];
  const time = { nowMs: 0, deadlineAtMs: 10_000, deadlineMs: 10_000 };
  const failed = { lastFailedAtMs: (name: string) => (name === 'a' ? 5 : 3) };

  it('keeps a reserve for the later steps [P14]', () => {
    expect(nextMove(route, new Map(), time, failed, false)).toEqual({
      kind: 'try',
      index: 0,
      last: false,
      limitMs: 9000,
      reserveMs: 1000,
    });
  });

  it('forces the least recently failed channel once when every breaker refused, and never one that asked for a pause [P15]', () => {
    const open: StepEnd = { why: 'breaker-open', attempted: false };
    const both = new Map([
      ['a', open],
      ['b', open],
    ]);
    expect(nextMove(route, both, time, failed, false)).toMatchObject({ kind: 'force', index: 1 });
    expect(nextMove(route, both, time, failed, true)).toEqual({ kind: 'dead', reason: 'breaker-open' });
    const throttled: StepEnd = { why: 'throttled', attempted: false };
    expect(
      nextMove(
        route,
        new Map([
          ['a', throttled],
          ['b', throttled],
        ]),
        time,
        failed,
        false,
      ),
    ).toEqual({ kind: 'dead', reason: 'throttled' });
  });
});

describe('afterFailure', () => {
  const facts = {
    retriesLeft: 2,
    throttles: 0,
    ambiguous: 1,
    minimal: false,
    idempotent: false,
    backoffMs: 10,
    nowMs: 0,
    limitMs: 1000,
  };

  it('decides by verdict [P16]', () => {
    expect(afterFailure({ ...facts, verdict: { kind: 'transient' } })).toEqual({
      kind: 'retry',
      waitMs: 10,
      minimal: false,
    });
    expect(afterFailure({ ...facts, verdict: { kind: 'transient' }, retriesLeft: 0 })).toEqual({
      kind: 'give-up',
      why: 'exhausted',
    });
    expect(afterFailure({ ...facts, verdict: { kind: 'rejected' } })).toEqual({
      kind: 'retry',
      waitMs: 0,
      minimal: true,
    });
    expect(afterFailure({ ...facts, verdict: { kind: 'rejected' }, minimal: true })).toEqual({
      kind: 'give-up',
      why: 'rejected',
    });
    expect(afterFailure({ ...facts, verdict: { kind: 'channelDown' } })).toEqual({
      kind: 'give-up',
      why: 'channelDown',
    });
    expect(afterFailure({ ...facts, verdict: { kind: 'throttled', retryAfterMs: 5000 } })).toEqual({
      kind: 'give-up',
      why: 'throttled',
    });
    expect(afterFailure({ ...facts, verdict: { kind: 'ambiguous' }, ambiguous: 2 })).toEqual({
      kind: 'give-up',
      why: 'ambiguous',
    });
    expect(afterFailure({ ...facts, verdict: { kind: 'ambiguous' }, ambiguous: 2, idempotent: true }).kind).toBe(
      'retry',
    );
  });
});

describe('verdicts', () => {
  it('reads every answer of Slack that is documented, and Retry-After in all its forms [P17]', () => {
    const rows = [
      [400, 'invalid_payload', 'rejected'],
      [403, 'action_prohibited', 'channelDown'],
      [404, 'no_service', 'channelDown'],
      [410, 'channel_is_archived', 'channelDown'],
      [413, '', 'rejected'],
      [429, '', 'throttled'],
      [500, 'rollup_error', 'transient'],
      [302, '', 'channelDown'],
    ] as const;
    for (const [status, body, verdict] of rows)
      expect([status, verdictOf(status, body, SLACK_RULES)]).toEqual([status, verdict]);
    const of = (value: string) => retryAfterMs(new Headers({ 'retry-after': value }), 0);
    expect([
      of('3'),
      of('-1'),
      of('1e9'),
      of('999999999'),
      of(new Date(5000).toUTCString()),
      retryAfterMs(new Headers(), 0),
    ]).toEqual([3000, 0, undefined, 86_400_000, 5000, undefined]);
  });

  it('makes a failure of whatever is thrown, without control characters and at most 2 KB [P18]', () => {
    for (const thrown of ['text', undefined, null, { status: 503 }, 5, new TypeError('x')])
      expect(failureOf(thrown).verdict.kind).toBe('transient');
    expect(
      failureOf(
        Object.assign(new TypeError('fetch failed'), {
          cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
        }),
      ).verdict.kind,
    ).toBe('ambiguous');
    expect(failureOf(new ChannelError('no', { kind: 'rejected' })).verdict.kind).toBe('rejected');
    const { text } = failureOf(new Error(`a\u0000\n${'é'.repeat(3000)}`));
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2048);
    expect(text).toMatch(/^a é+$/);
    expect(Buffer.byteLength(cutBytes('😀'.repeat(100), 50))).toBeLessThanOrEqual(50);
  });

  it('takes credentials out of error texts [P19]', () => {
    const clean = redactor(() => ['tok-1234'], ['pässword']);
    const text = clean(
      'https://hooks.slack.com/services/T/B/x Bearer abc SG.aaaaaaaaaa.bbbbbbbbbb tok-1234 pässword mongodb://u:p@h/',
    );
    for (const secret of ['/services', 'abc', 'SG.', 'tok-1234', 'pässword', 'u:p']) expect(text).not.toContain(secret);
  });
});

describe('alerts', () => {
  it('accepts data that JSON can not say, and refuses what is no alert, with the path [P20]', () => {
    const data: Record<string, unknown> = {
      big: 1n,
      get bad(): never {
        throw new Error('no');
      },
    };
    data.self = data;
    expect(storedAlert({ title: 't', severity: 'info', data }).data).toEqual({
      big: '1n',
      bad: '[unreadable: no]',
      self: '[circular]',
    });
    expect(storedAlert({ title: 't', severity: 'page' as never }).severity).toBe('critical');
    for (const [alert, path] of [
      [{ severity: 'info' }, 'title'],
      [{ title: 't', id: '' }, 'id'],
      [{ title: 't', body: 5 }, 'body'],
      [{ title: 't', status: 'x' }, 'status'],
    ] as const) {
      let error: unknown;
      try {
        storedAlert(alert as never);
      } catch (thrown) {
        error = thrown;
      }
      expect(isDeliveryError(error, 'DELIVERY_INVALID_ALERT') && error.path).toBe(path);
    }
  });

  it('folds what happened into what the next attempt must know [P21]', () => {
    const started: LifeEvent = { type: 'started', at: 0, channel: 'a', run: 'r' };
    const failed: LifeEvent = {
      type: 'attempted',
      at: 0,
      channel: 'a',
      attempt: 1,
      ms: 1,
      verdict: 'transient',
      error: '',
    };
    expect(progressOf([started]).maybeArrived.has('a')).toBe(true);
    expect(progressOf([started, failed]).maybeArrived.has('a')).toBe(false);
    expect(
      progressOf([started, { ...failed, verdict: 'ambiguous' }, started, { ...failed, repeat: true }]).maybeArrived.has(
        'a',
      ),
    ).toBe(true);
    const gone: LifeEvent = { type: 'escalated', at: 0, channel: 'a', why: 'exhausted' };
    expect(progressOf([started, failed, gone, { type: 'recovered', at: 0, run: 's' }]).exhausted.has('a')).toBe(true);
    expect(progressOf([started, failed, gone, { type: 'replayed', at: 0 }]).exhausted.size).toBe(0);
  });
});
