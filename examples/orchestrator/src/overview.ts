import type { ChannelView } from './channel-watch.js';
import type { Services } from './services.js';

/** Everything on the page above the lists. Times are epoch milliseconds. */
export interface Overview {
  startedAt: number;
  state: string;
  /** Notifications over the store's lifetime: accepted = delivered + coalesced + pending + dead + evicted. */
  law: {
    accepted: number;
    delivered: number;
    coalesced: number;
    pending: number;
    dead: number;
    evicted: number;
    holds: boolean;
  };
  alerts: { firing: number; unconfirmed: number; resolved: number };
  /** Posts absorbed as copies since the start. */
  copies: number;
  channels: ChannelView[];
  components: { name: string; ok: boolean; state: string; message?: string | undefined }[];
  store: 'files' | 'MongoDB';
  entries: number;
  remembered: number;
  oldestUnsentAt?: number | undefined;
  /** Pending, and nothing works on them: the next start does. */
  stuck: number;
  lastWebhookAt?: number | undefined;
  consolidation?: { at: number; ok: boolean } | undefined;
  refused: { count: number; newest: { at: number; from: string; why: string; body: string }[] };
  /** The last hour by the minute, oldest first. */
  perMinute: { accepted: number[]; failed: number[] };
  needs: Need[];
}

/** Something that a person should look at, the most pressing first. */
export type Need =
  | { kind: 'law'; missing: number }
  | { kind: 'dead'; count: number }
  | {
      kind: 'channel';
      name: string;
      since?: number | undefined;
      error?: string | undefined;
      next?: string | undefined;
      last?: true;
    }
  | { kind: 'component'; name: string; message: string }
  | { kind: 'waiting'; count: number; since: number }
  | { kind: 'stuck'; count: number }
  | { kind: 'evicted'; count: number }
  | { kind: 'consolidation'; at: number }
  | { kind: 'refused'; count: number; at: number };

/** A notification that waits longer than this needs somebody. The whole chain of one has two minutes. */
const WAITS_TOO_LONG_MS = 150_000;
/** A refused post is old news after this. */
const REFUSED_FOR_MS = 3_600_000;

/** What the page shows above its lists, at `now`. */
export function overviewOf(services: Services, now: number): Overview {
  const { activity, book, config } = services;
  const { lawHolds, accepted, delivered, coalesced, pending, dead, evicted, channels } = services.delivery.stats();
  const health = services.health();
  const shown: Omit<Overview, 'needs'> = {
    startedAt: activity.startedAt,
    state: health.state,
    law: { accepted, delivered, coalesced, pending, dead, evicted, holds: lawHolds },
    alerts: book.counts(now),
    copies: activity.copies,
    channels: activity.channels.read(channels),
    components: Object.entries(health.components).map(([name, { status, state, message }]) => ({
      name,
      ok: status === 'ok',
      state,
      ...(message !== undefined && { message }),
    })),
    store: config.MONGODB_URI ? 'MongoDB' : 'files',
    entries: services.kb.stats().entries,
    remembered: services.idempotency.stats().entries ?? 0,
    oldestUnsentAt: activity.oldestUnsent(),
    stuck: config.MONGODB_URI ? 0 : activity.stuck(pending, now),
    lastWebhookAt: activity.lastWebhookAt,
    consolidation: activity.consolidation,
    refused: { count: activity.refused, newest: [...activity.refusals] },
    perMinute: { accepted: activity.accepted.read(now), failed: activity.failed.read(now) },
  };
  return { ...shown, needs: needsOf(shown, now) };
}

/** What needs a person. Pure. */
export function needsOf(shown: Omit<Overview, 'needs'>, now: number): Need[] {
  const { law, channels, components, oldestUnsentAt, consolidation, refused } = shown;
  const needs: Need[] = [];
  if (!law.holds) {
    const found = law.delivered + law.coalesced + law.pending + law.dead + law.evicted;
    needs.push({ kind: 'law', missing: law.accepted - found });
  }
  if (law.dead > 0) needs.push({ kind: 'dead', count: law.dead });
  channels.forEach(({ name, state, since, error }, at) => {
    if (state !== 'down') return;
    const next = channels.slice(at + 1).find((each) => each.state !== 'down')?.name;
    const last = at === channels.length - 1;
    needs.push({ kind: 'channel', name, since, error, next, ...(last && { last }) });
  });
  for (const { name, ok, message } of components) {
    if (!ok) needs.push({ kind: 'component', name, message: message ?? 'failed' });
  }
  if (law.pending > 0 && oldestUnsentAt !== undefined && now - oldestUnsentAt > WAITS_TOO_LONG_MS) {
    needs.push({ kind: 'waiting', count: law.pending, since: oldestUnsentAt });
  }
  if (shown.stuck > 0) needs.push({ kind: 'stuck', count: shown.stuck });
  if (law.evicted > 0) needs.push({ kind: 'evicted', count: law.evicted });
  if (consolidation && !consolidation.ok) needs.push({ kind: 'consolidation', at: consolidation.at });
  const last = refused.newest.at(-1);
  if (last && now - last.at < REFUSED_FOR_MS) needs.push({ kind: 'refused', count: refused.count, at: last.at });
  return needs;
}
