import { requestDeadline } from '@holdfast/graceful-shutdown/express';
import { type HealthSource, healthHandler } from '@holdfast/graceful-shutdown/health';
import express, { type ErrorRequestHandler, type Express } from 'express';
import helmet from 'helmet';
import { alertRoutes } from './alert-routes.js';
import { requireToken, sameOrigin } from './auth.js';
import { deadLetterRoutes } from './dead-letter-routes.js';
import { eventsRoute } from './events-route.js';
import { errorHandler, HttpError } from './http-error.js';
import { jsonBody } from './json-body.js';
import { knowledgeRoutes } from './knowledge-routes.js';
import { accessLog } from './logger.js';
import { openApi } from './openapi.js';
import { pageRoutes } from './page-route.js';
import type { Services } from './services.js';
import { Sessions } from './session.js';
import { translate } from './translate.js';
import { refused, webhookRoute } from './webhook.js';

/** 16 MB is some 28,000 alerts; express's default of 100 kB would refuse 183, again at every tick. */
const WEBHOOK_BYTES = 16 * 1024 * 1024;
/** The largest knowledge entry is 15 MiB. */
const ENTRY_BYTES = 16 * 1024 * 1024;
const API_BYTES = 1024 * 1024;

/** What a body gets that can't be taken, and that would be sent again for ever. */
const UNREADABLE: ReadonlySet<number> = new Set([400, 413, 415]);
/** These the route has counted itself. */
const COUNTED: ReadonlySet<string> = new Set(['invalid_payload', 'no_alerts']);

/** Nothing but this page's own scripts and styles; the API answers JSON only. */
const CONTENT_SECURITY = {
  useDefaults: false,
  directives: {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'img-src': ["'self'", 'data:'],
    'connect-src': ["'self'"],
    'form-action': ["'self'"],
    'base-uri': ["'none'"],
    'frame-ancestors': ["'none'"],
  },
};

/** Assembles the routes. The order is the contract: deadlines outside, then who may, then bodies, then work. */
export function createApp(
  services: Services,
  health: HealthSource,
  onDeadlineEvent: (event: { type: string }) => void,
): Express {
  const { config } = services;
  const app = express();
  app
    .disable('x-powered-by')
    .disable('etag')
    .set('trust proxy', config.TRUST_PROXY ?? false)
    .set('query parser', 'simple');

  app.use(accessLog(services.log));
  app.use(
    helmet({
      contentSecurityPolicy: CONTENT_SECURITY,
      referrerPolicy: { policy: 'no-referrer' },
      strictTransportSecurity: false,
    }),
  );
  app.use(healthHandler(health));
  const description = openApi();
  app.get('/openapi.json', (_request, response) => {
    response.json(description);
  });
  app.get('/metrics', async (_request, response) => {
    response.type(services.metrics.contentType).send(await services.metrics.text());
  });

  const sessions = config.API_TOKEN === undefined ? undefined : new Sessions(config.API_TOKEN);
  const mayEnter = requireToken(sessions);
  app.use('/login', sameOrigin);
  app.use('/logout', sameOrigin);
  app.use(pageRoutes(services, sessions));
  // A stream has no deadline; it ends first when the drain begins.
  app.get('/api/events', mayEnter, eventsRoute(services));

  const { WEBHOOK_TIMEOUT_MS: webhookMs, API_TIMEOUT_MS: apiMs } = config;
  const onEvent = onDeadlineEvent;
  app.use('/webhook', requestDeadline({ handlerMs: webhookMs, bodyMs: webhookMs, bodyStatus: 503, onEvent }));
  app.use('/api', requestDeadline({ handlerMs: apiMs, bodyMs: apiMs, onEvent }));
  app.use(['/webhook', '/api'], (_request, response, next) => {
    response.set('cache-control', 'no-store');
    next();
  });
  app.use(['/webhook', '/api'], sameOrigin, mayEnter);

  app
    .route('/webhook/alerts')
    .post(...jsonBody(WEBHOOK_BYTES), webhookRoute(services))
    .all(methodNotAllowed('POST'));

  // What can't be read, or kept, is counted and shown.
  app.use('/webhook', ((error, request, _response, next) => {
    const known = translate(error);
    const gone = error instanceof Error && 'type' in error && error.type === 'request.aborted';
    if (known && UNREADABLE.has(known.status) && !COUNTED.has(known.code) && !gone) refused(services, request, known);
    next(error);
  }) satisfies ErrorRequestHandler);

  app.use('/api/knowledge/entries', ...jsonBody(ENTRY_BYTES));
  app.use('/api', ...jsonBody(API_BYTES));
  app.use('/api', knowledgeRoutes(services), alertRoutes(services), deadLetterRoutes(services));
  app.post('/api/memory/consolidate', async (_request, response) => {
    response.json(await services.job('consolidation', () => services.consolidation.run()));
  });

  app.use((request) => {
    throw new HttpError(404, 'not_found', `no route ${request.method} ${request.path.slice(0, 200)}`);
  });
  app.use(errorHandler(translate));
  return app;
}

function methodNotAllowed(allow: string): express.RequestHandler {
  return (request) => {
    // A GET that answered 200 would swallow an alert whose POST was redirected.
    throw new HttpError(405, 'method_not_allowed', `${request.method} is not for this route`, { allow });
  };
}
