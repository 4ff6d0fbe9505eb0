import { readFileSync } from 'node:fs';
import type { DeliveryEvent } from '@holdfast/alert-delivery';
import { describe, expect, it } from 'vitest';
import { AlertBook } from '../../src/alert-book.js';
import { createMetrics, type EventSource } from '../../src/metrics.js';

const SOURCES: EventSource[] = ['alert-delivery', 'file-lock', 'graceful-shutdown', 'idempotency', 'persistent-kb'];
const typesOf = (source: string): string[] => {
  const text = readFileSync(new URL(`../../../../packages/${source}/src/events.ts`, import.meta.url), 'utf8');
  return [...new Set([...text.matchAll(/type: '([a-z-]+\.[a-z_-]+)'/g)].map(([, type]) => type!))];
};

const metrics = () =>
  createMetrics({
    counts: () => ({ accepted: 3, delivered: 1, coalesced: 0, dead: 1, pending: 1, evicted: 0, lawHolds: true }),
    book: () => new AlertBook({ maxAlerts: 10, confirmedForMs: 1_000 }),
    entries: () => 4,
    health: () => ({ kb: 1 }),
  });

describe('/metrics', () => {
  it('counts every event of the five packages [P77]', async () => {
    const { event, deliveryEvent, text } = metrics();
    const all = SOURCES.flatMap((source) => typesOf(source).map((type) => [source, type] as const));
    expect(all.length).toBeGreaterThan(60);
    for (const [source, type] of all) {
      if (source === 'alert-delivery') deliveryEvent({ type } as DeliveryEvent);
      else event(source, type);
    }
    const shown = await text();
    for (const [source, type] of all) {
      expect(shown).toContain(`holdfast_events_total{package="${source}",type="${type}"} 1`);
    }
  });

  it('has labels from a fixed set only, none of which holds an id [P78]', async () => {
    const { deliveryEvent, webhookAlerts, consolidated, text } = metrics();
    deliveryEvent({
      type: 'attempt.failed',
      id: 'canary',
      channel: 'slack',
      attempt: 1,
      verdict: 'transient',
      ms: 1,
      error: 'canary',
    });
    deliveryEvent({
      type: 'alert.delivered',
      id: 'canary',
      channel: 'slack',
      attempts: 1,
      ms: 1,
      late: false,
      durable: true,
    } as DeliveryEvent);
    webhookAlerts('accepted', 2);
    consolidated('done');
    const shown = await text();
    expect(shown).not.toContain('canary');
    const labels = new Set(
      shown
        .split('\n')
        .filter((line) => line.startsWith('holdfast_'))
        .flatMap((line) => [...line.matchAll(/[{,](\w+)="/g)].map(([, name]) => name)),
    );
    expect([...labels].sort()).toEqual([
      'channel',
      'component',
      'fate',
      'from',
      'in',
      'outcome',
      'package',
      'status',
      'type',
      'verdict',
      'what',
    ]);
  });
});
