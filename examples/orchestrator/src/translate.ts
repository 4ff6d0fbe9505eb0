import { isDeliveryError } from '@holdfast/alert-delivery';
import { isFileLockError } from '@holdfast/file-lock';
import { isLifecycleError } from '@holdfast/graceful-shutdown';
import { isIdempotencyError } from '@holdfast/idempotency';
import { isKbError } from '@holdfast/persistent-kb';
import { HttpError } from './http-error.js';

/** A second is enough for a failover's first half; Alertmanager retries by its own schedule anyway. */
const RETRY = { 'retry-after': '1' };

/**
 * What a thrown error means to who asked; `undefined` for what should never happen. Whatever may work at the next try is a
 * 503: a sender such as Alertmanager retries 5xx and nothing else.
 */
export function translate(error: unknown): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (isKbError(error)) return ofKb(error);
  if (isIdempotencyError(error)) return ofIdempotency(error);
  if (isDeliveryError(error)) {
    if (error.code === 'DELIVERY_STORE_FAILED')
      return retry('delivery_store_failed', 'alerts cannot be stored at the moment');
    // The fields are made here; what is left is the size, which only the store knows the limit of.
    if (error.code === 'DELIVERY_INVALID_ALERT') return new HttpError(413, 'too_large', error.message);
    if (error.code === 'DELIVERY_CLOSED') return retry('draining', 'shutting down; send it again');
    return undefined;
  }
  if (isLifecycleError(error, 'LIFECYCLE_STOPPING')) return retry('draining', 'shutting down; send it again');
  if (isFileLockError(error, 'FILE_LOCK_TIMEOUT'))
    return retry('memory_busy', 'somebody else is writing MEMORY.md; try again');
  return ofExpress(error);
}

function ofKb(
  error: Parameters<typeof isKbError>[0] & { code: string; message: string; path?: unknown },
): HttpError | undefined {
  switch (error.code) {
    case 'KB_CONFLICT':
      return new HttpError(412, 'conflict', 'the entry is at another revision; read it again and merge');
    case 'KB_NOT_FOUND':
      return new HttpError(404, 'not_found', 'no entry of this id');
    case 'KB_INVALID_ENTRY':
      return new HttpError(400, 'invalid_entry', error.message);
    case 'KB_TOO_LARGE':
      return new HttpError(413, 'too_large', error.message);
    case 'KB_STORE_FAILED':
      return retry('kb_store_failed', 'the knowledge base cannot be written at the moment; reads go on');
    case 'KB_UNKNOWN_OUTCOME':
      return retry('kb_outcome_unknown', 'the entry may or may not have been written; read it before you try again');
    case 'KB_CLOSED':
      return retry('draining', 'shutting down; send it again');
    default:
      return undefined;
  }
}

function ofIdempotency(error: { code: string }): HttpError | undefined {
  switch (error.code) {
    case 'IDEMPOTENCY_BUSY':
      return retry('busy', 'a copy of this is being worked on; send it again');
    case 'IDEMPOTENCY_KEY_REUSED':
      return new HttpError(422, 'key_reused', 'this Idempotency-Key was used for something else; take a new one');
    case 'IDEMPOTENCY_LEASE_LOST':
      return retry('lease_lost', 'the work on this was interrupted; send it again');
    case 'IDEMPOTENCY_STORE_FAILED':
      return retry('idempotency_store_failed', 'copies cannot be told apart at the moment; send it again');
    case 'IDEMPOTENCY_CLOSED':
      return retry('draining', 'shutting down; send it again');
    default:
      return undefined;
  }
}

/** Errors of express and its body parser, which carry a status. */
function ofExpress(error: unknown): HttpError | undefined {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return undefined;
  const { status } = error;
  const type = 'type' in error ? String(error.type) : '';
  if (type === 'entity.too.large') {
    const limit = 'limit' in error ? ` of ${String(error.limit)} bytes` : '';
    return new HttpError(413, 'too_large', `the body is larger than this route's limit${limit}`);
  }
  if (type === 'encoding.unsupported') return new HttpError(415, 'unsupported_encoding', error.message);
  if (status >= 400 && status < 500) return new HttpError(status, 'bad_request', error.message.slice(0, 200));
  return undefined;
}

function retry(code: string, message: string): HttpError {
  return new HttpError(503, code, message, RETRY);
}
