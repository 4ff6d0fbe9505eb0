import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Request, Router, urlencoded } from 'express';
import { isAuthorized, SESSION_COOKIE } from './auth.js';
import { HttpError } from './http-error.js';
import { overviewOf } from './overview.js';
import { loginDocument, type PageAssets, pageDocument } from './page-document.js';
import type { Services } from './services.js';
import { LoginLimit, type Sessions } from './session.js';

/** The built client: the same place seen from `src/` and from `dist/`. */
const BUILT = new URL('../dist/page/', import.meta.url);
/** Its forms must say where they come from: with `no-referrer` a browser sends them with `Origin: null`. */
const DOCUMENT = { 'cache-control': 'no-store', 'referrer-policy': 'same-origin' };
/** Dead letters that the page without scripts lists. */
const PLAIN_LETTERS = 20;

/** `GET /`, its two files, and the login. */
export function pageRoutes(services: Services, sessions: Sessions | undefined): Router {
  const router = Router();
  const limit = new LoginLimit();
  let built: Promise<{ assets: PageAssets; files: Map<string, { type: string; bytes: Buffer }> }> | undefined;
  const page = (): NonNullable<typeof built> => {
    built ??= readBuilt();
    built.catch(() => {
      built = undefined;
    });
    return built;
  };

  router.get('/', async (request, response) => {
    const { assets } = await page();
    response.set(DOCUMENT).type('html');
    if (!isAuthorized(request, sessions)) {
      response.send(loginDocument(assets));
      return;
    }
    const now = Date.now();
    const dead = [];
    for await (const { alert, diedAt, reason } of services.delivery.dead({ limit: PLAIN_LETTERS })) {
      dead.push({ title: alert.title, at: diedAt, reason });
    }
    response.send(
      pageDocument(assets, { overview: overviewOf(services, now), dead, login: sessions !== undefined, now }),
    );
  });

  router.get('/page/:file', async (request, response) => {
    const file = (await page()).files.get(`/page/${request.params.file}`);
    if (!file) throw new HttpError(404, 'not_found', 'no such file');
    // Its name changes with its content.
    response.set('cache-control', 'public, max-age=31536000, immutable').type(file.type).send(file.bytes);
  });

  router.get('/login', async (_request, response) => {
    if (!sessions) {
      response.redirect(303, '/');
      return;
    }
    response
      .set(DOCUMENT)
      .type('html')
      .send(loginDocument((await page()).assets));
  });

  router.post('/login', urlencoded({ extended: false, limit: 4_096 }), async (request, response) => {
    response.set(DOCUMENT);
    if (!sessions) {
      response.redirect(303, '/');
      return;
    }
    const { assets } = await page();
    const address = request.ip ?? '';
    const now = Date.now();
    if (!limit.allows(address, now)) {
      response.status(429).set('retry-after', '60').type('html');
      response.send(loginDocument(assets, 'Too many wrong tokens. Try again in a minute.'));
      return;
    }
    const token: unknown = (request.body as Record<string, unknown> | undefined)?.token;
    if (typeof token !== 'string' || !sessions.isToken(token)) {
      limit.failed(address, now);
      services.log.warn({ from: address }, 'a login with a wrong token');
      response.status(401).type('html').send(loginDocument(assets, 'That is not the API token.'));
      return;
    }
    const { value, maxAgeMs } = sessions.create(now);
    response.cookie(SESSION_COOKIE, value, { ...cookie(request), maxAge: maxAgeMs }).redirect(303, '/');
  });

  router.post('/logout', (request, response) => {
    response.set('cache-control', 'no-store').clearCookie(SESSION_COOKIE, cookie(request)).redirect(303, '/');
  });

  return router;
}

/** Lax: a link from a chat opens the page and not the login. */
function cookie(request: Request): { httpOnly: true; sameSite: 'lax'; secure: boolean; path: '/' } {
  return { httpOnly: true, sameSite: 'lax', secure: request.secure, path: '/' };
}

async function readBuilt(): Promise<{
  assets: PageAssets;
  files: Map<string, { type: string; bytes: Buffer }>;
}> {
  const files = new Map<string, { type: string; bytes: Buffer }>();
  const add = async (name: string, type: string): Promise<string> => {
    const bytes = await readFile(new URL(name, BUILT)).catch(() => {
      throw new HttpError(503, 'page_not_built', 'the page is not built: run npm run build');
    });
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    const path = `/page/${hash}-${name}`;
    files.set(path, { type, bytes });
    return path;
  };
  const [script, style] = await Promise.all([add('page.js', 'text/javascript'), add('page.css', 'text/css')]);
  return { assets: { script, style }, files };
}
