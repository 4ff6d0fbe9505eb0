import { BoundedMap } from './bounded-map.js';
import { overviewOf } from './overview.js';
import type { Services } from './services.js';

/** How often rows that changed are made and told. Quick enough to feel live, slow enough for a storm to be one batch. */
const TICK_MS = 250;
/** How often the overview is compared with what was told last. */
const OVERVIEW_MS = 1_000;
/** A storm marks at most so many rows in one tick; the rest follows in the next ones. */
const ROWS_A_TICK = 200;

/** Tells open pages what changed: rows of alerts, and the overview. Works only while somebody listens. */
export class Broadcaster {
  readonly #services: Services;
  readonly #dirty = new Set<string>();
  /** Which alerts a notification carried. */
  readonly #carried = new BoundedMap<string, { fingerprints: readonly string[]; status: string }>(10_000);
  #timer: NodeJS.Timeout | undefined;
  #told = '';
  #overviewAt = 0;
  #busy = false;

  constructor(services: Services) {
    this.#services = services;
  }

  /** A notification was accepted, here or elsewhere, and stands at `status`. */
  carried(notification: string, fingerprints: readonly string[], status: string): void {
    if (this.#carried.get(notification)?.status === status) return;
    this.#carried.set(notification, { fingerprints, status });
    for (const fingerprint of fingerprints) this.#dirty.add(fingerprint);
  }

  /** Something happened to a notification. */
  touch(notification: string): void {
    for (const fingerprint of this.#carried.get(notification)?.fingerprints ?? []) this.#dirty.add(fingerprint);
  }

  start(): { close(): void } {
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
    this.#timer.unref();
    return { close: () => clearInterval(this.#timer) };
  }

  async #tick(): Promise<void> {
    const { feed, log } = this.#services;
    const now = Date.now();
    if (!feed.wanted(now)) {
      if (this.#dirty.size > 0) feed.skip();
      this.#dirty.clear();
      return;
    }
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.#tellRows(now);
      if (now - this.#overviewAt >= OVERVIEW_MS) this.#tellOverview(now);
    } catch (error) {
      log.debug({ err: error }, 'the page could not be told');
    } finally {
      this.#busy = false;
    }
  }

  async #tellRows(now: number): Promise<void> {
    const { book, rows, feed } = this.#services;
    const batch = [...this.#dirty].slice(0, ROWS_A_TICK);
    const changed = batch.flatMap((fingerprint) => {
      this.#dirty.delete(fingerprint);
      return book.get(fingerprint, now) ?? [];
    });
    if (changed.length > 0) feed.publish('alerts', await rows.alerts(changed));
  }

  #tellOverview(now: number): void {
    const { book } = this.#services;
    for (const fingerprint of book.becameUnconfirmed(this.#overviewAt, now)) this.#dirty.add(fingerprint);
    this.#overviewAt = now;
    const overview = overviewOf(this.#services, now);
    const text = JSON.stringify(overview);
    if (text === this.#told) return;
    this.#told = text;
    this.#services.feed.publish('overview', overview);
  }
}
