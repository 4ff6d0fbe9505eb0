import { describe, expect, it } from 'vitest';
import { encodeLine, seedOf } from '../../src/frame.js';
import { endLine, headerLine } from '../../src/header.js';
import { type Finding, SegmentScanner } from '../../src/scan.js';

const NAME = '0000000001.log';

/** A segment whose inner arrays are commits. */
function segment(commits: string[][]): { bytes: Buffer; starts: number[] } {
  let bytes = Buffer.from(headerLine(NAME, 1, 0));
  const starts: number[] = [];
  for (const commit of commits) {
    const start = bytes.length;
    starts.push(start);
    const text = commit.map((record) => encodeLine('records', start, JSON.stringify(record), seedOf(NAME))).join('');
    bytes = Buffer.concat([bytes, Buffer.from(text)]);
  }
  return { bytes, starts };
}

function scan(bytes: Buffer, options: { chunk?: number; whole?: boolean } = {}) {
  const scanner = new SegmentScanner(NAME);
  const findings: Finding[] = [];
  const chunk = options.chunk ?? 7;
  for (let at = 0; at < bytes.length; at += chunk) findings.push(...scanner.push(bytes.subarray(at, at + chunk)));
  const verdict = scanner.finish(options.whole ?? false);
  findings.push(...verdict.findings);
  const records = findings.flatMap((finding) =>
    finding.type === 'line' && finding.line.kind === 'records' ? [JSON.parse(finding.line.body.toString())] : [],
  );
  return { verdict, records, damage: findings.filter((finding) => finding.type === 'damage') };
}

describe('SegmentScanner', () => {
  it('[P3] cuts a tail torn at every byte of the last record and keeps every record before it', () => {
    const { bytes, starts } = segment([['a'], ['b'], ['the last, with an umlaut: ü']]);
    const last = starts[2]!;
    for (let cut = last; cut < bytes.length; cut++) {
      const { verdict, records, damage } = scan(bytes.subarray(0, cut));
      expect(records).toEqual(['a', 'b']);
      expect(damage).toEqual([]);
      expect(verdict).toMatchObject({ goodBytes: last, tornBytes: cut - last });
    }
  });

  it('[P3] cuts the last commit at its first bad byte, also when later lines of the same commit arrived whole', () => {
    const { bytes, starts } = segment([['a'], ['b', 'c', 'd']]);
    const second = starts[1]!;
    for (let at = second; at < bytes.indexOf(10, second); at++) {
      const torn = Buffer.from(bytes);
      torn[at]! ^= 0x01;
      const { verdict, records, damage } = scan(torn);
      expect(records).toEqual(['a']);
      expect(damage).toEqual([]);
      expect(verdict.goodBytes).toBe(second);
    }
  });

  it('[P4] tells damage from a torn tail: any flipped bit before the last commit is damage', () => {
    const { bytes, starts } = segment([['a'], ['b'], ['c']]);
    // Not the line end right before the last commit: without it both lines are one bad line at the end, as a torn tail is.
    for (let at = 0; at < starts[2]! - 1; at++)
      for (const bit of [0x01, 0x80]) {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= bit;
        const { damage, records } = scan(damaged);
        expect(damage.length).toBeGreaterThan(0);
        // The line feed before the last line is the one byte that takes its neighbour with it.
        if (at !== starts[2]! - 1) expect(records.at(-1)).toBe('c');
      }
  });

  it('[P4] finds damage in the last commit of a file that was closed', () => {
    const { bytes, starts } = segment([['a'], ['b']]);
    const closed = Buffer.concat([bytes, Buffer.from(endLine(NAME, bytes.length, 'closed'))]);
    expect(scan(closed)).toMatchObject({ records: ['a', 'b'], damage: [], verdict: { tornBytes: 0 } });
    for (let at = starts[1]!; at < bytes.length - 1; at++) {
      const damaged = Buffer.from(closed);
      damaged[at]! ^= 0x01;
      expect(scan(damaged).damage.length).toBeGreaterThan(0);
    }
  });

  it('[P4] does not take a line of another file for a record', () => {
    const { bytes } = segment([['a']]);
    const stale = Buffer.from(encodeLine('records', bytes.length, '"old"', seedOf('0000000002.log')));
    expect(scan(Buffer.concat([bytes, stale]))).toMatchObject({ records: ['a'], verdict: { tornBytes: stale.length } });
  });

  it('[P3] comes to the same verdict whatever the size of the reads', () => {
    const { bytes } = segment([['a', 'b'], ['c']]);
    const torn = bytes.subarray(0, bytes.length - 3);
    const expected = scan(torn, { chunk: torn.length });
    for (let chunk = 1; chunk < 64; chunk++) expect(scan(torn, { chunk })).toEqual(expected);
  });
});
