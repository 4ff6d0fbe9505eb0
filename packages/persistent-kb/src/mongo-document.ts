import { crc32 } from 'node:zlib';
import { Timestamp } from 'mongodb';
import type { Entry, Row } from './entry.js';

/** One entry as it is stored. What belongs to the user is all under `e`. */
export interface KbDocument {
  _id: string;
  /** Zero as sent; the server puts its own time in, which orders writes without trusting any writer's clock. */
  ts: Timestamp;
  v: 1;
  rev: number;
  op: string;
  /** Which opening of a store wrote it: that one need not be told of it by the stream. */
  by?: string;
  prior?: string[];
  at: Date;
  /** A copy of the entry's tags, for other readers. */
  tags?: string[];
  /** CRC-32 of the entry as JSON. */
  crc?: number;
  e?: Entry;
  del?: true;
  purgeAt?: Date;
}

/** Checksum of an entry's content. */
export function checksum(entry: Entry): number {
  return crc32(JSON.stringify(entry));
}

/** Ready to be written, with a time that the server fills in. */
export function toDocument(row: Row, by?: string): KbDocument {
  const document: KbDocument = {
    _id: row.id,
    ts: new Timestamp(0n),
    v: 1,
    rev: row.rev,
    op: row.op,
    at: new Date(row.at),
  };
  if (by !== undefined) document.by = by;
  if (row.prior) document.prior = [...row.prior];
  if (row.entry) {
    document.tags = [...new Set(row.entry.tags ?? [])];
    document.crc = checksum(row.entry);
    document.e = row.entry;
  } else {
    document.del = true;
    if (row.purgeAt !== undefined) document.purgeAt = new Date(row.purgeAt);
  }
  return document;
}

/** The row in a document, or why it can't be read as one. */
export function fromDocument(document: Partial<KbDocument>): Row | { readonly id: string; readonly fault: string } {
  const id = String(document._id);
  const { v, rev, op, at, e: entry } = document;
  if (typeof document._id !== 'string') return { id, fault: 'its _id is no string' };
  if (v !== 1) return { id, fault: `its format is ${String(v)}, this version reads 1` };
  if (!Number.isSafeInteger(rev) || typeof op !== 'string' || !(at instanceof Date)) {
    return { id, fault: 'it has no revision' };
  }
  const row = { id, rev: rev!, op, at: at.getTime(), ...(document.prior ? { prior: document.prior } : {}) };
  if (document.del === true) return { ...row, purgeAt: document.purgeAt?.getTime() };
  if (typeof entry !== 'object' || entry === null || entry.id !== id || typeof entry.title !== 'string') {
    return { id, fault: "its entry is not the id's" };
  }
  if (document.crc !== checksum(entry)) return { id, fault: 'its content does not fit its checksum' };
  return { ...row, entry };
}
