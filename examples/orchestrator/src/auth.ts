import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { HttpError } from './http-error.js';

/** Lets a request pass that carries `Authorization: Bearer <token>`; every request when no token is configured. */
export function requireToken(token: string | undefined): RequestHandler {
  if (token === undefined) return (_request, _response, next) => next();
  const expected = digest(token);
  return (request, _response, next) => {
    const given = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return next();
    throw new HttpError(401, 'unauthorized', 'this route needs the header Authorization: Bearer <API_TOKEN>', {
      'www-authenticate': 'Bearer',
    });
  };
}

/** Refuses requests that a browser sends from a page of another site; programs send neither header. */
export const sameOrigin: RequestHandler = (request, _response, next) => {
  if (request.method === 'GET' || request.method === 'HEAD') return next();
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const foreign = origin !== undefined && hostOf(origin) !== host;
  if (foreign || site === 'cross-site' || site === 'same-site') {
    throw new HttpError(403, 'cross_origin', 'pages of another site may not change anything here');
  }
  next();
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
