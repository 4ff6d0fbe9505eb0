import type { ErrorRequestHandler } from 'express';

/** An answer that is an error: `{ error: { code, message } }` with its status. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly code: string;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** What the sender should do about a thrown error, decided by `translate`; whatever it does not know is a 500. */
export function errorHandler(translate: (error: unknown) => HttpError | undefined): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    const known = translate(error);
    if (!known || known.status >= 500) request.log.error({ err: error }, 'request failed');
    const answer =
      known ?? new HttpError(500, 'internal', 'something went wrong here; the log has more under this request id');
    response
      .status(answer.status)
      .set(answer.headers)
      .json({ error: { code: answer.code, message: answer.message } });
  };
}
