import { type RequestHandler, raw } from 'express';
import { HttpError } from './http-error.js';

declare module 'express-serve-static-core' {
  interface Request {
    /** The bytes of the body, once `jsonBody` has run. */
    rawBody?: Buffer;
  }
}

/** Deeper than any sender nests, and far below what exhausts the stack when it is written out again. */
const MAX_DEPTH = 100;

/**
 * Parses a JSON body whatever its content type says, so that `curl -d` works without a header. An empty body is
 * `undefined`. Inflates gzip; `maxBytes` bounds what comes out.
 */
export function jsonBody(maxBytes: number): RequestHandler[] {
  const read = raw({ type: () => true, limit: maxBytes });
  const parse: RequestHandler = (request, _response, next) => {
    const bytes = request.body as Buffer | undefined;
    request.rawBody = Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0);
    request.body = parseJson(request.rawBody);
    next();
  };
  // A route with a limit of its own may stand before the one of all routes: the first to read decides.
  const unlessRead =
    (step: RequestHandler): RequestHandler =>
    (request, response, next) =>
      request.rawBody ? next() : step(request, response, next);
  return [unlessRead(read), unlessRead(parse)];
}

/** @throws HttpError 400 `invalid_json` or `too_deep`. */
function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (depthOf(bytes) > MAX_DEPTH) {
    throw new HttpError(400, 'too_deep', `the body nests deeper than ${MAX_DEPTH} levels`);
  }
  try {
    return withoutPrototype(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (error) {
    throw new HttpError(400, 'invalid_json', `the body is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** How deep arrays and objects nest, without parsing. */
function depthOf(bytes: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}

/** Drops keys named `__proto__`, which become a prototype when an object is copied by assignment. */
function withoutPrototype(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) withoutPrototype(part);
  if (Object.hasOwn(value, '__proto__')) Reflect.deleteProperty(value, '__proto__');
  return value;
}
