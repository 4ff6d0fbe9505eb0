import type { Timeline } from '@holdfast/alert-delivery';
import { Router } from 'express';
import { z } from 'zod';
import type { BookedAlert } from './alert-book.js';
import { HttpError } from './http-error.js';
import { check, limitOf } from './pages.js';
import type { Services } from './services.js';

const query = z.object({
  limit: limitOf(50, 500),
  status: z
    .enum(['firing', 'unconfirmed', 'resolved'], { error: 'must be firing, unconfirmed or resolved' })
    .optional(),
});

/** `GET /api/alerts`, `GET /api/alerts/:id`: what is firing, and what became of each notification that said so. */
export function alertRoutes(services: Services): Router {
  const router = Router();

  router.get('/alerts', async (request, response) => {
    const { limit, status } = check(query, request.query, 'the query string');
    const { alerts, total } = services.book.list({ limit, status }, Date.now());
    const explain = timelines(services);
    const shown = await Promise.all(alerts.map((alert) => withTimelines(alert, explain)));
    response.json({ alerts: shown, total });
  });

  router.get('/alerts/:id', async (request, response) => {
    const alert = services.book.get(request.params.id, Date.now());
    if (!alert) throw new HttpError(404, 'not_found', 'no alert of this fingerprint in the recent past');
    response.json(await withTimelines(alert, timelines(services)));
  });

  return router;
}

async function withTimelines(alert: BookedAlert, explain: (id: string) => Promise<Explained>): Promise<unknown> {
  const times = { firstAt: new Date(alert.firstAt).toISOString(), lastAt: new Date(alert.lastAt).toISOString() };
  return {
    id: alert.fingerprint,
    ...alert,
    ...times,
    notifications: await Promise.all(alert.notifications.map(explain)),
  };
}

/** A notification without the payload, which the alert itself shows. */
type Explained = { id: string } & Partial<Omit<Timeline, 'alert'>> & { title?: string };

/** Looks each notification up once: the alerts of a group share theirs. */
function timelines({ delivery }: Services): (id: string) => Promise<Explained> {
  const known = new Map<string, Promise<Explained>>();
  const look = async (id: string): Promise<Explained> => {
    const timeline = await delivery.explain(id);
    if (!timeline) return { id };
    const { alert, ...rest } = timeline;
    return { ...rest, ...(alert && { title: alert.title }) };
  };
  return (id) => {
    const found = known.get(id) ?? look(id);
    known.set(id, found);
    return found;
  };
}
