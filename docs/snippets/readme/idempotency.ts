/** What the README's code takes as given. */
import express from 'express';

Object.assign(globalThis, {
  express,
  app: express(),
  handler: (_request: unknown, response: { json(value: unknown): void }) => response.json({ ok: true }),
  orderId: 'o-42',
  charge: async (id: string) => ({ receipt: `r-${id}` }),
  mail: async () => {},
});
