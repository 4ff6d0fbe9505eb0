import { randomInt, randomUUID } from 'node:crypto';
import type { Document, MongoClient } from 'mongodb';
import type { StoredAlert } from './alert.js';
import { DeliveryError } from './errors.js';
import { isEnd, type LifeEvent } from './life.js';
import { endFields, freshFields, packed, wholeRecordFrom } from './mongo-document.js';
import { auditAlerts, deadAlerts, findAlert, firingChannels, recentAlerts } from './mongo-history.js';
import { bounded, literal, type Place, READ, storeFailed, WRITE } from './mongo-place.js';
import { keepBounds } from './mongo-purge.js';
import { eventBytes } from './sizes.js';
import type {
  ChannelCondition,
  Counts,
  DeadFilter,
  DeliveryStore,
  Evictions,
  Hold,
  StoreContext,
  Work,
} from './store.js';

const MAX_LOG = 500;

/** The store of many processes: one document an alert, leased to who works on it. */
export class MongoOutbox implements DeliveryStore {
  readonly shared = true;
  readonly dir = undefined;
  readonly failure = undefined;
  found = { pending: 0, tornBytes: 0, quarantinedBytes: 0 };
  #place: Place;
  #own: MongoClient | undefined;
  #leaseMs: number;
  #context: StoreContext;
  #counts: Counts = { accepted: 0, delivered: 0, coalesced: 0, dead: 0, pending: 0, evicted: 0 };
  #conditions: ChannelCondition[] = [];
  #renewedAt = 0;
  #evictions: Evictions | undefined;

  constructor(place: Place, own: MongoClient | undefined, leaseMs: number, context: StoreContext) {
    this.#place = place;
    this.#own = own;
    this.#leaseMs = leaseMs;
    this.#context = context;
  }

  async begin(): Promise<void> {
    await this.refresh();
    this.found = { ...this.found, pending: this.#counts.pending };
    const stored = await this.#bounded(this.#place.meta.find({ kind: 'channel' }).toArray());
    this.#conditions = stored.map((each) => ({
      channel: each.channel,
      throttledUntil: each.throttledUntil,
      openUntil: each.openUntil,
      openMs: each.openMs,
    }));
  }

  async accept(
    alert: StoredAlert,
    at: number,
    { held }: { held: boolean },
  ): Promise<{ duplicate: boolean; work?: Work }> {
    const { id } = alert;
    const body = packed(alert);
    if (body === undefined) {
      throw new DeliveryError(
        'DELIVERY_INVALID_ALERT',
        `alert '${id}' is too large for a document of the database, even compressed`,
        { path: 'data' },
      );
    }
    const tok = randomUUID();
    const due = held ? { due: this.#lease(), tok, by: this.#context.run, att: 1 } : { due: '$$NOW', att: 0 };
    const fresh = { ...freshFields(alert, body, at), op: tok, ...due };
    const isNew = { $eq: [{ $type: '$s' }, 'missing'] };
    let duplicate: boolean;
    try {
      const result = await this.#bounded(
        this.#place.alerts.updateOne({ _id: id }, [{ $replaceWith: { $cond: [isNew, fresh, '$$ROOT'] } }], {
          upsert: true,
          ...WRITE,
        }),
      );
      duplicate = result.upsertedCount === 0;
    } catch (error) {
      // No server was found, so nothing was sent: there is nothing to read back, and the alert should not wait for it.
      if ((error as Error).name === 'MongoServerSelectionError') throw storeFailed(error);
      const stored = await this.#bounded(
        this.#place.alerts.findOne({ _id: id }, { projection: { op: 1 }, ...READ }),
      ).catch(() => undefined);
      if (!stored) throw storeFailed(error);
      duplicate = stored.op !== tok;
    }
    if (duplicate) return { duplicate };
    this.#counts.accepted++;
    this.#counts.pending++;
    return held
      ? { duplicate, work: { hold: { id, token: tok }, record: { id, acceptedAt: at, alert, events: [] } } }
      : { duplicate };
  }

  async claim(limit: number): Promise<Work[]> {
    const due = { s: 'open' as const, $expr: { $lte: ['$due', '$$NOW'] } };
    const seen = await this.#bounded(
      this.#place.alerts
        .find(due, { projection: { _id: 1 } })
        .sort({ due: 1 })
        .limit(512)
        .toArray(),
    );
    if (seen.length === 0) return [];
    // A random slice of a shared window: instances that all take the oldest only meet each other (measured: 1 conflict instead of 9,523).
    const from = seen.length <= limit ? 0 : randomInt(seen.length - limit + 1);
    const ids = seen.slice(from, from + limit).map((document) => document._id);
    const tok = randomUUID();
    const recovered = JSON.stringify({
      type: 'recovered',
      at: this.#context.clock.now(),
      run: this.#context.run,
    } satisfies LifeEvent);
    const take = [
      {
        $set: {
          due: this.#lease(),
          tok,
          by: this.#context.run,
          att: { $add: ['$att', 1] },
          log: { $cond: [{ $gt: ['$att', 0] }, { $concatArrays: ['$log', literal([recovered])] }, '$log'] },
        },
      },
    ];
    // Not retryable: after an error the read says what was taken, and what the read misses falls due again.
    await this.#bounded(this.#place.alerts.updateMany({ _id: { $in: ids }, ...due }, take, WRITE)).catch(
      () => undefined,
    );
    const taken = await this.#bounded(
      this.#place.alerts
        .find({ _id: { $in: ids }, tok }, READ)
        .sort({ at: 1 })
        .toArray(),
    );
    return taken.map((document) => ({ hold: { id: document._id, token: tok }, record: wholeRecordFrom(document) }));
  }

  async record(holds: readonly Hold[], events: readonly LifeEvent[]): Promise<readonly string[]> {
    const ids = holds.map((hold) => hold.id);
    const op = randomUUID();
    const end = events.find(isEnd);
    const log = {
      $slice: [{ $concatArrays: ['$log', literal(events.map((event) => JSON.stringify(event)))] }, -MAX_LOG],
    };
    const bytes = { $add: ['$bytes', events.reduce((sum, event) => sum + eventBytes(event), 0)] };
    const set: Document = { op, log, bytes, ...(end ? endFields(end) : { due: this.#lease() }) };
    const pipe: Document[] = [{ $set: set }, ...(end ? [{ $unset: ['due', 'tok', 'by'] }] : [])];
    const mine = { _id: { $in: ids }, tok: { $in: [...new Set(holds.map((hold) => hold.token))] }, s: 'open' as const };
    let written = ids;
    try {
      const only = ids.length === 1 ? { ...mine, _id: ids[0]! } : mine;
      const result = await this.#bounded(
        ids.length === 1
          ? this.#place.alerts.updateOne(only, pipe, WRITE)
          : this.#place.alerts.updateMany(mine, pipe, WRITE),
      );
      if (result.matchedCount < ids.length) written = await this.#withOp(ids, op);
    } catch (error) {
      written = await this.#withOp(ids, op).catch(() => []);
      if (written.length === 0) throw storeFailed(error);
    }
    if (end) {
      this.#counts.pending -= written.length;
      this.#counts[end.type] += written.length;
    }
    if (written.length === ids.length) return [];
    const ours = new Set(written);
    return ids.filter((id) => !ours.has(id));
  }

  async renew(holds: readonly Hold[]): Promise<readonly string[]> {
    const now = this.#context.clock.monotonic();
    if (holds.length === 0 || now - this.#renewedAt < this.#leaseMs / 3) return [];
    this.#renewedAt = now;
    const ids = holds.map((hold) => hold.id);
    const mine = { _id: { $in: ids }, tok: { $in: [...new Set(holds.map((hold) => hold.token))] }, s: 'open' as const };
    await this.#bounded(this.#place.alerts.updateMany(mine, [{ $set: { due: this.#lease() } }], WRITE));
    // Whoever lost one hears of it at the next write, which is refused.
    return [];
  }

  async release(holds: readonly Hold[]): Promise<void> {
    if (holds.length === 0) return;
    const mine = {
      _id: { $in: holds.map((hold) => hold.id) },
      tok: { $in: [...new Set(holds.map((hold) => hold.token))] },
      s: 'open' as const,
    };
    await this.#bounded(
      this.#place.alerts.updateMany(mine, [{ $set: { due: '$$NOW' } }, { $unset: ['tok', 'by'] }], WRITE),
    );
  }

  async revive(
    id: string,
    event: Extract<LifeEvent, { type: 'replayed' }>,
    { held }: { held: boolean },
  ): Promise<Work | undefined> {
    const tok = randomUUID();
    const set: Document = {
      s: 'open',
      op: tok,
      att: held ? 1 : 0,
      log: { $concatArrays: ['$log', literal([JSON.stringify(event)])] },
      due: held ? this.#lease() : '$$NOW',
      ...(held && { tok, by: this.#context.run }),
    };
    const document = await this.#bounded(
      this.#place.alerts.findOneAndUpdate({ _id: id, s: 'dead' }, [{ $set: set }, { $unset: ['endedAt', 'reason'] }], {
        returnDocument: 'after',
        ...WRITE,
      }),
    );
    if (!document) return undefined;
    this.#counts.dead--;
    this.#counts.pending++;
    return { hold: { id, token: held ? tok : '' }, record: wholeRecordFrom(document) };
  }

  find(id: string): ReturnType<DeliveryStore['find']> {
    return this.#bounded(findAlert(this.#place, id));
  }

  dead(filter: DeadFilter): ReturnType<DeliveryStore['dead']> {
    return deadAlerts(this.#place, filter);
  }

  recent(limit: number): ReturnType<DeliveryStore['recent']> {
    return recentAlerts(this.#place, limit);
  }

  firingChannels(dedupKeys: readonly string[]): ReturnType<DeliveryStore['firingChannels']> {
    return this.#bounded(firingChannels(this.#place, dedupKeys));
  }

  counts(): Counts {
    return { ...this.#counts };
  }

  evictions(): Evictions | undefined {
    return this.#evictions;
  }

  audit(onProgress?: (checked: number) => void): ReturnType<DeliveryStore['audit']> {
    return auditAlerts(this.#place, onProgress);
  }

  async refresh(): Promise<void> {
    const { history, deadLetters, clock, onEvent } = this.#context;
    const bounds = { history, deadLetters, nowMs: clock.now(), onEvent };
    const { counts, evictions } = await this.#bounded(keepBounds(this.#place, bounds));
    this.#counts = counts;
    this.#evictions = evictions;
  }

  conditions(): readonly ChannelCondition[] {
    return this.#conditions;
  }

  async saveCondition(condition: ChannelCondition): Promise<void> {
    await this.#bounded(
      this.#place.meta.updateOne(
        { _id: `channel:${condition.channel}` },
        { $set: { kind: 'channel', ...condition } },
        { upsert: true, ...WRITE },
      ),
    );
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }

  #lease(): Document {
    return { $add: ['$$NOW', this.#leaseMs] };
  }

  async #withOp(ids: string[], op: string): Promise<string[]> {
    const found = await this.#bounded(
      this.#place.alerts.find({ _id: { $in: ids }, op }, { projection: { _id: 1 }, ...READ }).toArray(),
    );
    return found.map((document) => document._id);
  }

  #bounded<T>(operation: Promise<T>): Promise<T> {
    return bounded(this.#context.clock, operation);
  }
}
