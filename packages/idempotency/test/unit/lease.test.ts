import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import {
  createIdempotency,
  type IdempotencyEvent,
  type IdempotencyOptions,
  isIdempotencyError,
  memoryStore,
} from '../../src/index.js';
import { wrappedStore } from '../fixtures/wrapped-store.js';

/** Two instances, as in two processes, on one store and one clock. */
function pair(options: IdempotencyOptions = {}) {
  const clock = manualClock();
  const store = memoryStore();
  const events: IdempotencyEvent[] = [];
  const make = (more: IdempotencyOptions = {}) =>
    createIdempotency({ clock, store, random: () => 0.5, onEvent: (event) => events.push(event), ...options, ...more });
  return { clock, store, events, make, types: () => events.map(({ type }) => type) };
}

function gate<T>(): { open: (value: T) => void; passed: Promise<T> } {
  let open: (value: T) => void = () => undefined;
  const passed = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open: (value) => open(value), passed };
}
const code = (error: unknown): string => (error as { code: string }).code;

describe('lease', () => {
  it('is renewed while its owner lives, and not stolen past its first end [P59]', async () => {
    const { clock, make } = pair({ leaseMs: 1_000, waitMs: false });
    const [a, b] = [make(), make()];
    const { open, passed } = gate<string>();
    const first = a.run('k', () => passed);
    for (let at = 0; at < 10; at++) {
      await clock.advance(500);
      await expect(b.run('k', () => 'stolen')).rejects.toMatchObject({ code: 'IDEMPOTENCY_BUSY' });
    }
    open('kept');
    expect(await first).toBe('kept');
    expect(await b.execute('k', () => 'again')).toMatchObject({ value: 'kept', via: 'replayed' });
  });

  it('is renewed only while its run lasts, whichever of several ends first [P59]', async () => {
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const { clock, store, make } = pair({ leaseMs: 1_000 });
      const renewed: unknown[] = [];
      const counting = wrappedStore(store, (method, call) => {
        if (method === 'renew') renewed.push(method);
        return call();
      });
      const one = make({ store: counting });
      const gates = [gate<number>(), gate<number>(), gate<number>()];
      const runs = gates.map(({ passed }, at) => one.run(`k${at}`, () => passed));
      for (const [ended, at] of order.entries()) {
        gates[at]!.open(at);
        expect(await runs[at]).toBe(at);
        renewed.length = 0;
        await clock.advance(1_000);
        expect(renewed.length).toBeGreaterThanOrEqual(2 * (2 - ended));
        expect(renewed.length).toBeLessThanOrEqual(4 * (2 - ended));
      }
      expect(one.stats()).toMatchObject({ lost: 0, inFlight: 0 });
    }
  });

  it('lost, aborts op.signal and rejects the owner with IDEMPOTENCY_LEASE_LOST; the successor counts [P60]', async () => {
    const { clock, store, make, types } = pair({ leaseMs: 1_000 });
    let cut = false;
    const severed = wrappedStore(store, (method, call) => {
      if (cut) throw new Error(`no connection at ${method}`);
      return call();
    });
    const a = make({ store: severed });
    const b = make();
    const { open, passed } = gate<string>();
    let reason: unknown;
    const first = a.run('k', async (op) => {
      op.signal.addEventListener('abort', () => (reason = op.signal.reason));
      return passed;
    });
    first.catch(() => undefined);
    await clock.advance(0);
    cut = true;
    await clock.advance(1_001);
    await expect(first).rejects.toMatchObject({ code: 'IDEMPOTENCY_LEASE_LOST', reason: 'lease-ended' });
    expect(code(reason)).toBe('IDEMPOTENCY_LEASE_LOST');
    expect(await b.execute('k', (op) => `attempt ${op.attempt}`)).toMatchObject({ value: 'attempt 2', via: 'ran' });
    cut = false;
    open('late');
    await clock.advance(0);
    expect(await b.run('k', () => 'third')).toBe('attempt 2');
    expect(types()).toContain('run.lost');
    expect(a.stats().lost).toBe(1);
  });

  it('fences an owner that was replaced: its result, steps and release change nothing [P60]', async () => {
    const { clock, make, events } = pair({ leaseMs: 1_000 });
    const [a, b] = [make(), make()];
    const { open, passed } = gate<string>();
    const seen: string[] = [];
    const first = a.run('k', async (op) => {
      await passed;
      await op.step('late', () => 'step').catch((error: unknown) => seen.push(code(error)));
      return 'stale';
    });
    first.catch(() => undefined);
    await clock.advance(0);
    expect(await b.forget('k')).toBe(true);
    expect(await b.run('k', () => 'fresh')).toBe('fresh');
    open('go');
    await expect(first).rejects.toMatchObject({ code: 'IDEMPOTENCY_LEASE_LOST' });
    expect(seen).toEqual(['IDEMPOTENCY_LEASE_LOST']);
    expect(await a.run('k', () => 'again')).toBe('fresh');
    expect(events.filter(({ type }) => type === 'run.lost')).toHaveLength(1);
  });

  it('ends after maxRunMs: the signal aborts, the key frees, a late result is kept if nobody took over [P74]', async () => {
    const { clock, make } = pair({ leaseMs: 1_000, maxRunMs: 3_000 });
    const a = make();
    const { open, passed } = gate<string>();
    let aborted = false;
    const first = a.run('k', (op) => {
      op.signal.addEventListener('abort', () => (aborted = true));
      return passed;
    });
    const lost = expect(first).rejects.toMatchObject({ code: 'IDEMPOTENCY_LEASE_LOST', reason: 'ran-too-long' });
    await clock.advance(2_900);
    expect(aborted).toBe(false);
    await clock.advance(200);
    expect(aborted).toBe(true);
    await clock.advance(1_100);
    await lost;
    open('late');
    await clock.advance(0);
    expect(await a.execute('k', () => 'again')).toMatchObject({ value: 'late', via: 'replayed' });
  });

  it('of a dead owner frees its key for the next caller of another instance, with attempt 2 [P59]', async () => {
    const { clock, make } = pair({ leaseMs: 1_000, waitMs: 10_000 });
    let dead = false;
    const { store } = pair();
    const a = make({ store: wrappedStore(store, (_method, call) => (dead ? new Promise(() => undefined) : call())) });
    const b = make({ store });
    a.run('k', () => new Promise(() => undefined)).catch(() => undefined);
    await clock.advance(0);
    dead = true;
    const second = b.execute('k', (op) => op.attempt);
    await clock.advance(2_000);
    expect(await second).toMatchObject({ value: 2, via: 'ran', attempt: 2 });
    expect(b.stats().takeovers).toBe(1);
  });
});

describe('waiting for another instance', () => {
  it('polls with growing, jittered pauses and gets the answer [P73]', async () => {
    const { clock, store, make } = pair();
    let asked = 0;
    const a = make();
    const b = make({
      store: wrappedStore(store, (method, call) => {
        if (method === 'claim') asked++;
        return call();
      }),
    });
    const { open, passed } = gate<string>();
    const first = a.run('k', () => passed);
    await clock.advance(0);
    const joined = [b.execute('k', () => 'no'), b.execute('k', () => 'no')];
    await clock.advance(5_000);
    // 20 ms growing to 500 ms: two callers of one instance ask as one.
    expect(asked).toBeGreaterThan(10);
    expect(asked).toBeLessThan(40);
    open('yes');
    await clock.advance(600);
    for (const outcome of await Promise.all(joined)) expect(outcome).toMatchObject({ value: 'yes', via: 'joined' });
    expect(await first).toBe('yes');
  });

  it('ends busy after waitMs, with retryAfterMs, and when its own signal aborts with the reason untouched [P79]', async () => {
    const { clock, make } = pair({ waitMs: 1_000 });
    const [a, b] = [make(), make()];
    const { open, passed } = gate<string>();
    const first = a.run('k', () => passed);
    await clock.advance(0);
    for (const instance of [a, b]) {
      const waiting = instance.run('k', () => 'no').catch((error: unknown) => error);
      await clock.advance(1_001);
      const error = await waiting;
      expect(isIdempotencyError(error, 'IDEMPOTENCY_BUSY') && error.retryAfterMs! > 0).toBe(true);
      const stop = new AbortController();
      const aborted = instance.run('k', () => 'no', { signal: stop.signal }).catch((thrown: unknown) => thrown);
      await clock.advance(10);
      const why = new Error('enough');
      stop.abort(why);
      await clock.advance(0);
      expect(await aborted).toBe(why);
    }
    open('done');
    expect(await first).toBe('done');
  });

  it('of states of one lane: one at a time, in order of arrival; equal ones join [P81]', async () => {
    const { make, clock } = pair();
    const a = make();
    const order: string[] = [];
    const lane = (state: string) => ({ lane: 'group', state, windowMs: 60_000 });
    const gates = new Map(['firing', 'resolved'].map((state) => [state, gate<string>()]));
    const run = (state: string) =>
      a.execute(lane(state), () => {
        order.push(state);
        return gates.get(state)!.passed;
      });
    const all = [run('firing'), run('firing'), run('resolved'), run('resolved')];
    await clock.advance(0);
    expect(order).toEqual(['firing']);
    gates.get('firing')!.open('1');
    await clock.advance(0);
    expect(order).toEqual(['firing', 'resolved']);
    gates.get('resolved')!.open('2');
    const outcomes = await Promise.all(all);
    expect(outcomes.map(({ value }) => value)).toEqual(['1', '1', '2', '2']);
    expect(order).toEqual(['firing', 'resolved']);
  });
});
