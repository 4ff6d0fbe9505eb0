import type { Timeline } from '@holdfast/alert-delivery';
import { Router } from 'express';
import { z } from 'zod';
import type { Copy } from './activity.js';
import type { BookedAlert } from './alert-book.js';
import { HttpError } from './http-error.js';
import { notificationData } from './notification.js';
import { overviewOf } from './overview.js';
import { check, limitOf } from './pages.js';
import type { NotificationRow } from './rows.js';
import type { Services } from './services.js';

export const alertQuery = z.object({
  limit: limitOf(50, 500),
  status: z
    .enum(['firing', 'unconfirmed', 'resolved'], { error: 'must be firing, unconfirmed or resolved' })
    .optional(),
  timelines: z.enum(['true', 'false'], { error: 'must be true or false' }).default('true'),
});
export const notificationQuery = z.object({
  limit: limitOf(50, 500),
  status: z
    .enum(['pending', 'delivered', 'coalesced', 'dead'], { error: 'must be pending, delivered, coalesced or dead' })
    .optional(),
});

/** The newest notifications that a filter looks through. */
const LOOKED_THROUGH = 5_000;

/** `GET /api/alerts`, `/api/notifications`, `/api/overview`: what is firing, and what became of each post that said so. */
export function alertRoutes(services: Services): Router {
  const router = Router();

  router.get('/overview', (_request, response) => {
    const now = Date.now();
    response.json({ ...overviewOf(services, now), position: services.feed.expect(now) });
  });

  router.get('/alerts', async (request, response) => {
    const { limit, status, timelines: whole } = check(alertQuery, request.query, 'the query string');
    const { alerts, total } = services.book.list({ limit, status }, Date.now());
    const explain = timelines(services);
    const shown =
      whole === 'true'
        ? await Promise.all(alerts.map((alert) => withTimelines(alert, explain)))
        : await services.rows.alerts(alerts);
    response.json({ alerts: shown, total });
  });

  router.get('/alerts/:id', async (request, response) => {
    const alert = services.book.get(request.params.id, Date.now());
    if (!alert) throw new HttpError(404, 'not_found', 'no alert of this fingerprint in the recent past');
    response.json(await withTimelines(alert, timelines(services)));
  });

  router.get('/notifications', async (request, response) => {
    const { limit, status } = check(notificationQuery, request.query, 'the query string');
    const notifications: NotificationRow[] = [];
    for await (const entry of services.delivery.recent(status ? LOOKED_THROUGH : limit)) {
      if (status !== undefined && entry.status !== status) continue;
      notifications.push(services.rows.notification(entry));
      if (notifications.length >= limit) break;
    }
    const stats = services.delivery.stats();
    response.json({ notifications, total: status ? stats[status] : stats.accepted });
  });

  router.get('/notifications/:id', async (request, response) => {
    const timeline = await services.delivery.explain(request.params.id);
    if (!timeline) throw new HttpError(404, 'not_found', 'no notification of this id in the recent past');
    response.json({ ...timeline, copies: services.activity.copiesOf(timeline.id) });
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
type Explained = { id: string } & Partial<Omit<Timeline, 'alert'>> & {
    title?: string;
    /** Who posted it, and why, as far as the sender said. */
    sender?: string;
    reason?: string;
    copies: { count: number; newest: readonly Copy[] };
  };

/** Looks each notification up once: the alerts of a group share theirs. */
function timelines({ delivery, activity }: Services): (id: string) => Promise<Explained> {
  const known = new Map<string, Promise<Explained>>();
  const look = async (id: string): Promise<Explained> => {
    const timeline = await delivery.explain(id);
    const copies = activity.copiesOf(id);
    if (!timeline) return { id, copies };
    const { alert, ...rest } = timeline;
    const data = notificationData(alert?.data);
    const reason = data?.kind === 'webhook' ? data.payload.notificationReason : undefined;
    return {
      ...rest,
      ...(alert && { title: alert.title }),
      ...(data && { sender: data.sender }),
      ...(reason !== undefined && { reason }),
      copies,
    };
  };
  return (id) => {
    const found = known.get(id) ?? look(id);
    known.set(id, found);
    return found;
  };
}
