import type { Request, RequestHandler } from 'express';
import { HttpError } from './http-error.js';
import { cookieOf, type Sessions } from './session.js';

export const SESSION_COOKIE = 'holdfast_session';

/** Whether the request carries the token (`Authorization: Bearer`), or a session of the page. Everybody, without a token. */
export function isAuthorized(request: Request, sessions: Sessions | undefined): 'token' | 'session' | undefined {
  if (!sessions) return 'token';
  const given = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (given !== undefined && sessions.isToken(given)) return 'token';
  const cookie = cookieOf(request.headers.cookie, SESSION_COOKIE);
  return cookie !== undefined && sessions.holds(cookie, Date.now()) ? 'session' : undefined;
}

/** Lets a request pass that carries the token or a session. */
export function requireToken(sessions: Sessions | undefined): RequestHandler {
  return (request, _response, next) => {
    const how = isAuthorized(request, sessions);
    if (how === 'session') fromThisPage(request);
    if (how !== undefined) return next();
    throw new HttpError(401, 'unauthorized', 'this route needs the header Authorization: Bearer <API_TOKEN>', {
      'www-authenticate': 'Bearer',
    });
  };
}

/** Refuses requests that a browser sends from a page of another site; programs send neither header. */
export const sameOrigin: RequestHandler = (request, _response, next) => {
  if (request.method === 'GET' || request.method === 'HEAD') return next();
  const { origin, host } = request.headers;
  // Browsers send it to hosts that they trust; the others get an Origin to compare.
  const site = request.headers['sec-fetch-site'];
  const foreign =
    site === undefined ? origin !== undefined && hostOf(origin) !== host : site !== 'same-origin' && site !== 'none';
  if (foreign) {
    throw new HttpError(403, 'cross_origin', 'pages of another site may not change anything here');
  }
  next();
};

/** A cookie is sent by the browser whoever asks, so a change with one must say that it is ours, and be JSON. */
function fromThisPage(request: Request): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const { origin } = request.headers;
  const json = /^application\/json\b/i.test(request.headers['content-type'] ?? '');
  if ((origin === undefined && request.headers['sec-fetch-site'] !== 'same-origin') || !json) {
    throw new HttpError(403, 'cross_origin', 'with a login, changes are JSON and come from this page');
  }
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
