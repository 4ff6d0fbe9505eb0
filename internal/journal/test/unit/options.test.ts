import { describe, expect, it } from 'vitest';
import { DEFAULTS, openJournal } from '../../src/index.js';
import { resolveOptions } from '../../src/options.js';

const good = { dir: '/d', apply: () => undefined, snapshot: () => [] };

describe('openJournal', () => {
  it('throws at once for a bad option, naming it, the rule and the value', () => {
    const bad: [string, object, RegExp][] = [
      ['dir', { dir: '' }, /dir must be a non-empty string, got ""/],
      ['apply', { apply: 1 }, /apply must be a function, got number/],
      ['snapshot', { snapshot: undefined }, /snapshot must be a function, got undefined/],
      ['onDamage', { onDamage: 'skip' }, /onDamage must be 'refuse' or 'quarantine', got "skip"/],
      ['segmentBytes', { segmentBytes: 10 }, /segmentBytes must be an integer from 1024 to \d+, got 10/],
      ['maxRecordBytes', { maxRecordBytes: 0.5 }, /maxRecordBytes must be an integer from 1 to \d+, got 0.5/],
      ['staleMs', { staleMs: 1 }, /staleMs must be an integer from 2000 to \d+, got 1/],
      ['openTimeoutMs', { openTimeoutMs: -1 }, /openTimeoutMs must be an integer from 0 to \d+, got -1/],
    ];
    for (const [name, options, message] of bad)
      expect(() => openJournal({ ...good, ...options } as never), name).toThrow(message);
  });

  it('has the defaults that it names', () => {
    expect(resolveOptions(good)).toMatchObject(DEFAULTS);
  });
});
