import { crc32 } from 'node:zlib';

/**
 * One line of a journal file: `cccccccc k s… json\n`, where k is the kind, s the offset (hex) at which the commit that wrote
 * the line began, and c the CRC-32 (hex) of the file's name followed by everything after the first space. With the name in
 * it, a stale block of another segment that a crash leaves in this one's tail is never taken for a record.
 */
export type LineKind = 'header' | 'records' | 'end';

const LETTER: Record<LineKind, string> = { header: 'h', records: 'r', end: 'e' };
const KIND: Record<number, LineKind | undefined> = { 104: 'header', 114: 'records', 101: 'end' };
const SPACE = 32;

/** A line that was read whole and whose checksum holds. */
export interface Line {
  kind: LineKind;
  /** Where in the file the line begins, and its length with the line feed. */
  offset: number;
  bytes: number;
  /** Where the commit that wrote it began. */
  start: number;
  /** The JSON, UTF-8. */
  body: Buffer;
}

/** The checksum that every line of the file `name` starts from. */
export function seedOf(name: string): number {
  return crc32(name);
}

/** Encodes one line. */
export function encodeLine(kind: LineKind, start: number, json: string, seed: number): string {
  const text = `${LETTER[kind]} ${start.toString(16)} ${json}`;
  return `${crc32(text, seed).toString(16).padStart(8, '0')} ${text}\n`;
}

/** Decodes `line` (without its line feed), which begins at `offset`. Undefined if anything about it is wrong. */
export function decodeLine(line: Buffer, offset: number, seed: number): Line | undefined {
  if (line.length < 14 || line[8] !== SPACE || line[10] !== SPACE) return undefined;
  const kind = KIND[line[9]!];
  if (!kind || crc32(line.subarray(9), seed) !== hex(line, 0, 8)) return undefined;
  const space = line.indexOf(SPACE, 11);
  if (space < 0) return undefined;
  const start = hex(line, 11, space);
  if (start === undefined) return undefined;
  return { kind, offset, bytes: line.length + 1, start, body: line.subarray(space + 1) };
}

function hex(line: Buffer, from: number, to: number): number | undefined {
  let value = 0;
  if (to === from || to - from > 12) return undefined;
  for (let at = from; at < to; at++) {
    const byte = line[at]!;
    const digit = byte >= 48 && byte <= 57 ? byte - 48 : byte >= 97 && byte <= 102 ? byte - 87 : -1;
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
}
