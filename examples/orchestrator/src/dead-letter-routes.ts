import { createHash } from 'node:crypto';
import type { DeadFilter, DeadLetter, Delivery, Outcome } from '@holdfast/alert-delivery';
import { Router } from 'express';
import { z } from 'zod';
import { HttpError } from './http-error.js';
import { check, limitOf } from './pages.js';
import type { Services } from './services.js';

/** Which dead letters: everything that is given must hold. */
const deadLetterFilter = z.strictObject({
  severity: z.enum(['critical', 'error', 'warning', 'info']).optional(),
  reason: z.string().max(100).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});
export const deadLetterQuery = deadLetterFilter.extend({ limit: limitOf(50, 1_000) });
const perSecond = z.number().min(0.1).max(100).optional();
export const replayBody = z.union(
  [
    z.strictObject({ ids: z.array(z.string().min(1).max(512)).min(1).max(1_000), perSecond }),
    z.strictObject({ filter: deadLetterFilter, count: z.number().int().min(1), perSecond }),
  ],
  { error: 'must be { ids: [...] }, or { filter: {...}, count } with the count that the preview showed' },
);

/** `GET /api/dead-letters`, `POST /api/dead-letters/replay`: what no channel took, and sending it again. */
export function deadLetterRoutes(services: Services): Router {
  const router = Router();
  let replaying = false;

  router.get('/dead-letters', async (request, response) => {
    const { limit, ...given } = check(deadLetterQuery, request.query, 'the query string');
    const filtered = Object.values(given).some((value) => value !== undefined);
    const deadLetters: DeadLetter[] = [];
    let total = 0;
    // Counted to the end where a filter is previewed: the count is what a replay must find again.
    for await (const letter of services.delivery.dead(filtered ? chosenBy(given) : { limit })) {
      total++;
      if (deadLetters.length < limit) deadLetters.push(letter);
    }
    response.json({ deadLetters, total: filtered ? total : services.delivery.stats().dead });
  });

  router.post('/dead-letters/replay', async (request, response) => {
    const asked = check(replayBody, request.body, 'the body');
    const run = async (): Promise<Replayed> => {
      if (replaying) throw new HttpError(409, 'replay_running', 'another replay runs; wait for its results');
      replaying = true;
      let ended: Promise<unknown> = Promise.resolve();
      try {
        const ids = 'ids' in asked ? [...new Set(asked.ids)] : await frozen(services.delivery, asked);
        const replay = await startReplay(services, ids, asked.perSecond);
        ended = replay.ended;
        return await replay.answer;
      } finally {
        // Not with the answer: what is slow goes on behind it, and two at once would share out no rate.
        void ended.then(() => {
          replaying = false;
        });
      }
    };
    const key = request.headers['idempotency-key'];
    // The same click twice, or a retry of a lost answer, is one replay and gets its results.
    response.json(
      typeof key === 'string' && key !== ''
        ? await services.idempotency.run(['replay', digest(key)], run, { fingerprint: digest(JSON.stringify(asked)) })
        : await run(),
    );
  });

  return router;
}

/** The ids that a filter means, if they are as many as the preview said. @throws HttpError 409 */
async function frozen(delivery: Delivery, { filter, count }: { filter: Filter; count: number }): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of delivery.dead(chosenBy(filter))) ids.push(id);
  if (ids.length !== count) {
    throw new HttpError(
      409,
      'preview_changed',
      `the filter now means ${ids.length} dead letters, not ${count}: look again`,
    );
  }
  return ids;
}

type Filter = z.output<typeof deadLetterFilter>;

function chosenBy({ severity, reason, since, until }: Filter): DeadFilter {
  return {
    ...(severity && { severity }),
    ...(reason && { reason }),
    ...(since && { since: Date.parse(since) }),
    ...(until && { until: Date.parse(until) }),
  };
}

type Replayed = { results: Result[]; total: number };
type Result = { id: string; status: Outcome['status'] | 'not-found' | 'pending' };

/**
 * Replays, with a result for each id in `answer`. What has not ended when the request's time is nearly up is `pending`: it
 * goes on until `ended`, and `GET /api/alerts` tells how. A drain stops it: what it has not sent stays a dead letter.
 */
async function startReplay(
  { delivery, config, job, log, draining }: Services,
  ids: string[],
  perSecond: number | undefined,
): Promise<{ answer: Promise<Replayed>; ended: Promise<void> }> {
  const results = new Map<string, Result>();
  for (const id of ids) {
    const found = await delivery.explain(id);
    results.set(id, { id, status: found?.status === 'dead' ? 'pending' : 'not-found' });
  }
  const known = ids.filter((id) => results.get(id)?.status === 'pending');
  const ended = job('replay', async () => {
    const outcomes = delivery.replay({ ids: known, perSecond })[Symbol.asyncIterator]();
    const stop = aborted(draining);
    for (;;) {
      const step = await Promise.race([outcomes.next(), stop]);
      if (step === undefined || step.done) return;
      results.set(step.value.id, step.value);
    }
  }).catch((error: unknown) => log.error({ err: error }, 'a replay failed'));
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, config.API_TIMEOUT_MS * 0.8);
  });
  const answer = Promise.race([ended, timeUp]).then(() => {
    clearTimeout(timer);
    return { results: [...results.values()], total: results.size };
  });
  return { answer, ended };
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url');
