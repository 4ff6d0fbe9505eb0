import { DeliveryError } from '@holdfast/alert-delivery';
import { FileLockError } from '@holdfast/file-lock';
import { IdempotencyError, type IdempotencyErrorCode } from '@holdfast/idempotency';
import { KbError } from '@holdfast/persistent-kb';
import { describe, expect, it } from 'vitest';
import { HttpError } from '../../src/http-error.js';
import { translate } from '../../src/translate.js';

describe('translate', () => {
  it('never gives a webhook a 4xx for what may work at the next try: Alertmanager retries 5xx only [P99]', () => {
    const busy: IdempotencyErrorCode[] = [
      'IDEMPOTENCY_BUSY',
      'IDEMPOTENCY_LEASE_LOST',
      'IDEMPOTENCY_STORE_FAILED',
      'IDEMPOTENCY_CLOSED',
    ];
    for (const code of busy) {
      expect([code, translate(new IdempotencyError(code, 'x'))]).toEqual([
        code,
        expect.objectContaining({ status: 503 }),
      ]);
    }
    for (const code of ['DELIVERY_STORE_FAILED', 'DELIVERY_CLOSED'] as const) {
      const answer = translate(new DeliveryError(code, 'x'));
      expect([code, answer?.status, answer?.headers['retry-after']]).toEqual([code, 503, '1']);
    }
  });

  it('tells a writer of knowledge what to do [P100]', () => {
    const status = (code: ConstructorParameters<typeof KbError>[0]) => translate(new KbError(code, 'x'))?.status;
    expect(status('KB_CONFLICT')).toBe(412);
    expect(status('KB_NOT_FOUND')).toBe(404);
    expect(status('KB_INVALID_ENTRY')).toBe(400);
    expect(status('KB_TOO_LARGE')).toBe(413);
    expect(status('KB_STORE_FAILED')).toBe(503);
    expect(status('KB_UNKNOWN_OUTCOME')).toBe(503);
    expect(translate(new FileLockError('FILE_LOCK_TIMEOUT', 'x'))?.status).toBe(503);
  });

  it('passes its own errors on, and leaves what should never happen to a 500 without its text [P101]', () => {
    const own = new HttpError(409, 'x', 'y');
    expect(translate(own)).toBe(own);
    expect(translate(new Error('a secret'))).toBeUndefined();
    expect(translate('thrown text')).toBeUndefined();
    expect(translate(Object.assign(new Error('no'), { status: 418 }))?.status).toBe(418);
    expect(translate(Object.assign(new Error('no'), { status: 500 }))).toBeUndefined();
  });
});
