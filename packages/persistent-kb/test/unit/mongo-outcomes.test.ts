import { MongoBulkWriteError, MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { outcomesOf } from '../../src/mongo-commit.js';

const bulkResult = (concern?: unknown) => ({ getWriteConcernError: () => concern }) as never;
const statuses = (error: unknown, count: number): string[] => outcomesOf(error, count).map(({ status }) => status);

describe('what a MongoDB error says about a write', () => {
  it('[P38] takes a bulk that a cut connection or a change of primary ended for unknown, write by write', () => {
    for (const cause of [
      new MongoNetworkError('cut'),
      new MongoServerError({ message: 'stepped down', code: 11602 }),
    ]) {
      expect(statuses(new MongoBulkWriteError(cause as never, bulkResult()), 3)).toEqual([
        'unknown',
        'unknown',
        'unknown',
      ]);
      expect(statuses(cause, 1)).toEqual(['unknown']);
    }
    expect(statuses(new MongoServerError({ message: 'not primary', code: 10107 }), 2)).toEqual(['unknown', 'unknown']);
  });

  it('[P38] tells which write of a bulk was a conflict, and takes the others for written only if nothing else went wrong', () => {
    const bulk = (writeErrors: unknown[], concern?: unknown): MongoBulkWriteError =>
      new MongoBulkWriteError({ message: 'x', writeErrors } as never, bulkResult(concern));
    expect(statuses(bulk([{ index: 1, code: 11000 }]), 3)).toEqual(['ok', 'conflict', 'ok']);
    expect(statuses(bulk([{ index: 1, code: 11000 }], new Error('64')), 3)).toEqual(['unknown', 'conflict', 'unknown']);
    expect(statuses(bulk([{ index: 0, code: 11602 }]), 2)).toEqual(['unknown', 'unknown']);
    expect(statuses(bulk([{ index: 0, code: 13 }]), 2)).toEqual(['failed', 'unknown']);
  });

  it('[P38] takes for not written only what is certain: no privilege, wrong credentials, too large, never sent', () => {
    for (const code of [13, 18, 121, 2, 10334, 16493, 17419]) {
      expect(statuses(new MongoServerError({ message: 'x', code }), 1)).toEqual(['failed']);
    }
    for (const code of [64, 50, 10107, 11602, 91, 189, 11600]) {
      expect(statuses(new MongoServerError({ message: 'x', code }), 1)).toEqual(['unknown']);
    }
    expect(statuses(new MongoServerError({ message: 'x', code: 11000 }), 1)).toEqual(['conflict']);
    expect(statuses(new MongoServerError({ message: 'x', code: 11000 }), 2)).toEqual(['unknown', 'unknown']);
  });
});
