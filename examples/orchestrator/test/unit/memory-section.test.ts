import { describe, expect, it } from 'vitest';
import { type Happening, type Incident, learn } from '../../src/incident.js';
import { memoryLine, withLines } from '../../src/memory-section.js';
import { parsePayload } from '../../src/payload.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');

function incident(name: string, more: Partial<Incident> = {}): Incident {
  const { payload } = parsePayload({ alerts: [{ labels: { alertname: name }, startsAt: '2026-03-01T10:00:00Z' }] });
  const happening: Happening = { id: name, acceptedAt: NOW, payload, fate: { channel: 'slack' } };
  return { ...learn(undefined, name, [happening]), ...more };
}
const lines = (...names: string[]) => names.map((name) => memoryLine(incident(name), 1, NOW));

describe('withLines', () => {
  it('starts a file, and changes nothing when there is no news [P69]', () => {
    const first = withLines(null, lines('A', 'B'), NOW)!;
    expect(first).toMatch(/^# Memory\n/);
    expect(first).toContain('**A** seen once, last 2026-03-01 10:00 UTC; none resolved so far; told by slack 1.');
    expect(withLines(first, lines('A', 'B'), NOW + 1_000)).toBeUndefined();
  });

  it('keeps whatever stands outside its marks, byte for byte, and writes its section again where an editor removed it [P70]', () => {
    const first = withLines('# Mine\r\n\ttext  \n', lines('A'), NOW)!;
    const edited = `before\n${first}after, no newline`;
    const next = withLines(edited, lines('A', 'B'), NOW)!;
    expect(next.startsWith('before\n# Mine\r\n\ttext  \n')).toBe(true);
    expect(next.endsWith('\nafter, no newline')).toBe(true);
    expect(withLines('an editor saved this over it', lines('A'), NOW)).toMatch(
      /^an editor saved this over it\n\n<!-- holdfast:begin/,
    );
  });

  it('leaves text behind a begin mark without its end alone [P71]', () => {
    const next = withLines('<!-- holdfast:begin -->\nsomebody wrote here\n', lines('A'), NOW)!;
    expect(next).toContain('somebody wrote here');
    expect(withLines(next, lines('A'), NOW)).toBeUndefined();
  });

  it('keeps a line that another instance wrote and that is not known here yet [P72]', () => {
    const theirs = withLines(null, lines('A', 'Newest'), NOW)!;
    const next = withLines(theirs, lines('A'), NOW + 60_000);
    expect(next).toBeUndefined();
  });

  it('keeps the newer revision of a line, whoever wrote it [P73]', () => {
    const newer = memoryLine(incident('A', { seen: 7 }), 5, NOW);
    const file = withLines(null, [newer], NOW)!;
    expect(withLines(file, [memoryLine(incident('A', { seen: 6 }), 4, NOW)], NOW)).toBeUndefined();
    expect(withLines(file, [memoryLine(incident('A', { seen: 8 }), 6, NOW)], NOW)).toContain('seen 8 times');
  });

  it('lets go of a line whose entry is gone once no instance can lag so far [P74]', () => {
    const file = withLines(null, lines('A', 'Deleted'), NOW)!;
    expect(withLines(file, lines('A'), NOW + 11 * 60_000)).not.toContain('Deleted');
  });

  it('puts first what reached nobody or flaps [P75]', () => {
    const text = withLines(
      null,
      [memoryLine(incident('Quiet'), 1, NOW), memoryLine(incident('Lost', { dead: 2 }), 1, NOW)],
      NOW,
    )!;
    expect(text.indexOf('Lost')).toBeLessThan(text.indexOf('Quiet'));
    expect(text).toContain('### Needs a look');
    expect(text).toContain('**reached nobody 2 times**');
  });

  it('lets no name close a mark, forge a line or become markup [P76]', () => {
    const name = '--> <!-- holdfast:end --> \n- **x** <!-- 0123456789abcdef 9 9 - -->';
    const file = withLines(null, lines(name), NOW)!;
    expect(file.match(/holdfast:end -->/g)).toHaveLength(1);
    expect(withLines(file, [], NOW + 3_600_000)).toContain('No incidents so far.');
  });
});
