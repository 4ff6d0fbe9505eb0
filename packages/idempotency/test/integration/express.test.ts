import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import express from 'express';
import express4 from 'express4';
import { expect, it } from 'vitest';
import { idempotent } from '../../src/express.js';
import { createIdempotency } from '../../src/index.js';
import { listen } from '../fixtures/http-apps.js';

/** More than one chunk of a file stream. */
const FILE = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));

it.each([
  ['express 5', express],
  ['express 4', express4 as unknown as typeof express],
])('%s: a file that res.sendFile gives replays, type, validators and bytes [P87]', async (_name, framework) => {
  await using dir = await tempDir();
  const path = join(dir.path, 'receipt.bin');
  await writeFile(path, FILE);
  let runs = 0;
  const idempotency = createIdempotency();
  const app = framework();
  // Compiles only while the middleware leaves `request.body` as the parser typed it.
  app.post('/work', framework.json(), idempotent(idempotency), (request, response) => {
    runs++;
    response.set('x-order', request.body.order.toUpperCase()).sendFile(path);
  });
  const { ask, close } = await listen(app);
  const [first, second] = [await ask({ body: { order: 'a1' } }), await ask({ body: { order: 'a1' } })];
  await writeFile(path, 'changed');
  const third = await ask({ body: { order: 'a1' } });
  for (const { status, bytes, header } of [first, second, third]) {
    expect(status).toBe(200);
    expect(bytes.equals(FILE)).toBe(true);
    expect(['content-type', 'etag', 'last-modified', 'x-order'].map(header)).toEqual(
      ['content-type', 'etag', 'last-modified', 'x-order'].map(first.header),
    );
  }
  expect([first.header('x-order'), first.header('idempotent-replayed')]).toEqual(['A1', undefined]);
  expect(second.header('idempotent-replayed')).toBe('true');
  expect(runs).toBe(1);
  await close();
  await idempotency.close();
});
