import { describe, expect, it } from 'vitest';
import { parseKey, planRequest, type RequestFacts } from '../../src/http/request-key.js';

const facts = (more: Partial<RequestFacts> = {}): RequestFacts => ({
  method: 'POST',
  path: '/pay',
  keyHeaders: [],
  authorization: undefined,
  scope: '',
  body: { a: 1 },
  given: undefined,
  ...more,
});
const lane = () => 'the lane';

describe('parseKey', () => {
  it('reads a structured-field string and a bare value as the same key, and nothing else [P18]', () => {
    for (const [header, key] of [
      ['"abc"', 'abc'],
      ['abc', 'abc'],
      ['  "a b"  ', 'a b'],
      ['"a\\"b\\\\c"', 'a"b\\c'],
    ])
      expect(parseKey(header!)).toBe(key);
    for (const header of ['', '""', '"abc', 'a b', 'a,b', '"a\\x"', 'é', '"é"', 'x'.repeat(256)])
      expect(parseKey(header)).toBeUndefined();
  });
});

describe('planRequest', () => {
  it('passes safe methods through [P19]', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      expect(planRequest(facts({ method, keyHeaders: ['k'] }), 'ietf', lane)).toMatchObject({ do: 'run-unprotected' });
  });

  it('ietf refuses a missing, doubled or malformed key; stripe runs without one [P19]', () => {
    for (const keyHeaders of [[], ['a', 'b'], ['a b']])
      expect(planRequest(facts({ keyHeaders }), 'ietf', lane)).toMatchObject({ do: 'refuse', status: 400 });
    expect(planRequest(facts(), 'stripe', lane)).toMatchObject({ do: 'run-unprotected' });
  });

  it('keeps method, path, credentials and tenants apart, and compares bodies whatever the order of keys [P19]', () => {
    const keyOf = (more: Partial<RequestFacts>) => {
      const plan = planRequest(facts({ keyHeaders: ['k'], ...more }), 'ietf', lane);
      if (plan.do !== 'execute') throw new Error(plan.do);
      return plan;
    };
    const keys = [{}, { method: 'PUT' }, { path: '/x' }, { authorization: 'Bearer a' }, { scope: 't1' }].map((more) =>
      JSON.stringify(keyOf(more).key),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf({ body: { a: 1, b: 2 } }).fingerprint).toBe(keyOf({ body: { b: 2, a: 1 } }).fingerprint);
    expect(keyOf({ body: { a: 1 } }).fingerprint).not.toBe(keyOf({ body: { a: '1' } }).fingerprint);
  });

  it('webhook looks at the body first, and never refuses [P19]', () => {
    const group = { groupKey: '{}:{}', alerts: [] };
    expect(planRequest(facts({ body: group, keyHeaders: ['constant'] }), 'webhook', lane)).toEqual({
      do: 'execute',
      key: 'the lane',
      fingerprint: undefined,
      headerIgnored: true,
    });
    expect(planRequest(facts({ body: group, given: 'mine' }), 'webhook', lane)).toMatchObject({ key: 'mine' });
    expect(planRequest(facts({ keyHeaders: ['k'] }), 'webhook', lane)).toMatchObject({ do: 'execute' });
    expect(planRequest(facts({ given: 'mine' }), 'webhook', lane)).toMatchObject({ key: 'mine' });
    for (const keyHeaders of [[], ['a', 'b'], ['a b']])
      expect(planRequest(facts({ keyHeaders }), 'webhook', lane)).toMatchObject({ do: 'run-unprotected' });
  });
});
