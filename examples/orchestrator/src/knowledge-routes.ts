import { randomUUID } from 'node:crypto';
import type { Entry, Kb, Stored } from '@holdfast/persistent-kb';
import { type Request, type Response, Router } from 'express';
import { z } from 'zod';
import { HttpError } from './http-error.js';
import { check } from './pages.js';
import { markdownText, oneLine } from './plain-text.js';
import type { Services } from './services.js';

const tags = z.array(z.string().min(1).max(200)).max(100);
/** An entry as it is given; other fields are kept. */
export const entryBody = z.looseObject({
  id: z.string().min(1).max(512).optional(),
  title: z.string().min(1).max(1_000),
  body: z.string().optional(),
  tags: tags.optional(),
  category: z.string().min(1).max(200).optional(),
});
export const queryBody = z
  .looseObject({
    query: z.string().max(65_536).optional(),
    tags: tags.optional(),
    category: z.string().optional(),
    limit: z.number().int().min(1).max(1_000).optional(),
  })
  .default({});

export const exportQuery = z.object({ format: z.enum(['json', 'markdown']).default('json') });

/** The entry routes, query, summary and export of the knowledge base. */
export function knowledgeRoutes(services: Services): Router {
  const router = Router();

  router.post('/knowledge/entries', async (request, response) => {
    const given = check(entryBody, request.body, 'the entry');
    const stored = await services.kb.put({ ...given, id: given.id ?? randomUUID() } as Entry, { ifRev: 'absent' });
    response.location(`/api/knowledge/entries/${encodeURIComponent(stored.entry.id)}`);
    send(response.status(201), stored);
  });

  router
    .route('/knowledge/entries/:id')
    .get((request, response) => {
      const stored = services.kb.get(request.params.id);
      if (!stored) throw notFound();
      send(response, stored);
    })
    .put(async (request, response) => {
      const given = check(entryBody, request.body, 'the entry');
      const { id } = request.params;
      if (given.id !== undefined && given.id !== id) {
        throw new HttpError(400, 'invalid_request', 'the entry.id: must be the id in the address, or absent');
      }
      const ifRev = revisionOf(request);
      const stored = await services.kb.put({ ...given, id } as Entry, ifRev === undefined ? {} : { ifRev });
      send(response.status(stored.rev === 1 ? 201 : 200), stored);
    })
    .delete(async (request, response) => {
      const ifRev = revisionOf(request);
      const removed = await services.kb.delete(
        request.params.id,
        ifRev === undefined || ifRev === 'absent' ? {} : { ifRev },
      );
      if (!removed) throw notFound();
      response.status(204).end();
    });

  router.post('/knowledge/query', (request, response) => {
    const { query, tags, category, limit } = check(queryBody, request.body, 'the body');
    const { hits, total } = services.kb.query({
      ...(query && { text: query }),
      ...(tags && tags.length > 0 && { all: tags }),
      ...(category !== undefined && { category }),
      ...(limit !== undefined && { limit }),
    });
    response.json({ results: hits, total });
  });

  router.get('/knowledge/summary', async (_request, response) => {
    response.json(await summary(services.kb));
  });

  router.get('/knowledge/export', async (request, response) => {
    const { format } = check(exportQuery, request.query, 'the query string');
    if (format === 'json') await streamJson(response, 'knowledge.json', [['entries', services.kb.export()]]);
    else await stream(response, 'knowledge.md', 'text/markdown; charset=utf-8', markdown(services.kb));
  });

  router.get('/persistence/export', async (_request, response) => {
    await streamJson(response, 'holdfast-export.json', [
      ['entries', services.kb.export()],
      ['deadLetters', services.delivery.dead()],
    ]);
  });

  return router;
}

function send(response: Response, stored: Stored<Entry>): void {
  response.set('etag', `"${stored.rev}"`).json(stored);
}

const notFound = (): HttpError => new HttpError(404, 'not_found', 'no entry of this id');

/** What `If-Match` (a revision) or `If-None-Match: *` (only if absent) asks for. */
function revisionOf(request: Request): number | 'absent' | undefined {
  const match = request.headers['if-match'];
  if (match === undefined) return request.headers['if-none-match'] === '*' ? 'absent' : undefined;
  const revision = /^(?:W\/)?"?(\d{1,15})"?$/.exec(match.trim())?.[1];
  if (revision === undefined) throw new HttpError(400, 'invalid_request', 'If-Match: must be one revision, as in ETag');
  return Number(revision);
}

async function summary(kb: Kb<Entry>): Promise<unknown> {
  const categories: Record<string, number> = Object.create(null);
  const tagCounts: Record<string, number> = Object.create(null);
  let total = 0;
  let lastUpdated: string | null = null;
  for await (const { entry, updatedAt } of kb.export()) {
    total++;
    if (entry.category !== undefined) categories[entry.category] = (categories[entry.category] ?? 0) + 1;
    for (const tag of entry.tags ?? []) tagCounts[tag] = (tagCounts[tag] ?? 0) + 1;
    if (lastUpdated === null || updatedAt > lastUpdated) lastUpdated = updatedAt;
  }
  return { total, categories, tags: tagCounts, lastUpdated };
}

async function* markdown(kb: Kb<Entry>): AsyncGenerator<string> {
  yield '# Knowledge base\n';
  for await (const { entry, rev, updatedAt } of kb.export()) {
    const facts = [entry.category, ...(entry.tags ?? [])]
      .filter((each) => each !== undefined)
      .map((each) => markdownText(each));
    yield `\n## ${markdownText(entry.title)}\n\n`;
    yield `*${markdownText(entry.id)}, revision ${rev}, ${updatedAt}${facts.length > 0 ? `; ${facts.join(', ')}` : ''}*\n`;
    for (const line of (entry.body ?? '').split('\n')) if (line.trim() !== '') yield `\n${markdownText(line, 2_000)}\n`;
  }
}

/** `{ "a": [...], "b": [...] }`, item by item. */
async function streamJson(
  response: Response,
  name: string,
  lists: readonly (readonly [string, AsyncIterable<unknown>])[],
): Promise<void> {
  async function* text(): AsyncGenerator<string> {
    for (const [at, [key, items]] of lists.entries()) {
      yield `${at === 0 ? '{' : ',\n'}${JSON.stringify(key)}:[`;
      let first = true;
      for await (const item of items) {
        yield `${first ? '\n' : ',\n'}${JSON.stringify(item)}`;
        first = false;
      }
      yield ']';
    }
    yield '}\n';
  }
  await stream(response, name, 'application/json; charset=utf-8', text());
}

/** Writes as fast as the reader reads, and stops when it goes away. */
async function stream(response: Response, name: string, type: string, parts: AsyncIterable<string>): Promise<void> {
  response.set({ 'content-type': type, 'content-disposition': `attachment; filename="${oneLine(name)}"` });
  for await (const part of parts) {
    if (response.destroyed) return;
    if (response.write(part)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        response.off('drain', go).off('close', go);
        resolve();
      };
      response.on('drain', go).on('close', go);
    });
  }
  response.end();
}
