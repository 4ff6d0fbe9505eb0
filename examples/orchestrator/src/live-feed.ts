import { randomUUID } from 'node:crypto';

/** One thing that subscribers hear. `id` grows; `name` is the event name on the wire. */
export interface FeedEvent {
  id: string;
  name: string;
  data: string;
}

/** Who listens; `false` says that it can't take more and has been dropped. */
export type Subscriber = (event: FeedEvent) => boolean;

/** As many events as a page may miss and still be brought up to date, and as many characters: a storm makes large ones. */
const KEPT = 1_000;
const KEPT_CHARACTERS = 4_000_000;
/** Rows are still made for so long after the last page left: it may come back with a `Last-Event-ID`. */
const LINGER_MS = 60_000;

/** Hands events on to pages, and keeps the newest for those that were cut off. */
export class LiveFeed {
  /** Ids of another process mean nothing here. */
  readonly #epoch = randomUUID().slice(0, 8);
  readonly #kept: FeedEvent[] = [];
  #characters = 0;
  readonly #subscribers = new Set<Subscriber>();
  #next = 1;
  #listenedAt = Number.NEGATIVE_INFINITY;

  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Whether anybody listens, or left so recently that it may ask for what it missed. */
  wanted(now: number): boolean {
    if (this.#subscribers.size > 0) this.#listenedAt = now;
    return now - this.#listenedAt <= LINGER_MS;
  }

  /** Somebody has read everything and is about to listen. */
  expect(now: number): string {
    this.#listenedAt = now;
    return this.position();
  }

  /** Something changed that nobody was told of: who comes back must read everything. */
  skip(): void {
    this.#next++;
    this.#kept.length = 0;
    this.#characters = 0;
  }

  publish(name: string, data: unknown): void {
    const event = { id: `${this.#epoch}-${this.#next++}`, name, data: JSON.stringify(data) };
    this.#kept.push(event);
    this.#characters += event.data.length;
    while (this.#kept.length > KEPT || this.#characters > KEPT_CHARACTERS) {
      this.#characters -= this.#kept.shift()!.data.length;
    }
    for (const subscriber of [...this.#subscribers]) if (!subscriber(event)) this.#subscribers.delete(subscriber);
  }

  /** The id that a page which has just loaded everything starts from. */
  position(): string {
    return `${this.#epoch}-${this.#next - 1}`;
  }

  /** What followed `lastEventId`; undefined when that can't be told, and everything must be read anew. */
  since(lastEventId: string | undefined): FeedEvent[] | undefined {
    const [epoch, text] = (lastEventId ?? '').split('-');
    const last = Number(text);
    if (epoch !== this.#epoch || !Number.isSafeInteger(last) || last >= this.#next) return undefined;
    const missed = this.#next - 1 - last;
    return missed > this.#kept.length ? undefined : this.#kept.slice(this.#kept.length - missed);
  }

  /** @returns how to leave. */
  subscribe(subscriber: Subscriber, now: number): () => void {
    this.#subscribers.add(subscriber);
    this.#listenedAt = now;
    return () => {
      this.#subscribers.delete(subscriber);
    };
  }
}
