import { request } from 'node:http';
import { type ChaosOptions, eventually, type FakeProvider } from '@holdfast/testkit';

/** What the parts of this folder take: with `rounds` they do that many and no more, however long it takes. */
export type PartOptions = ChaosOptions & { rounds?: number | undefined };

/** Whether there is to be another round: so many, or until the time is up but for what the account at the end needs. */
export function anotherRound(
  { seconds, rounds }: PartOptions,
  done: number,
  began: number,
  reserveMs: number,
): boolean {
  if (rounds !== undefined) return done < rounds;
  return performance.now() - began < seconds * 1000 - Math.max(reserveMs, seconds * 150);
}

/** Numbers from a seed: the same seed, the same numbers (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface StreamOptions {
  /** Where to post now, a choice each time. */
  url: () => string;
  senders: number;
  random: () => number;
  /** Of all posts: sent once more after their answer, as a sender does that lost it. */
  copies?: number;
  pauseMs?: number;
}

/** A stream of webhooks, each its own group with one alert, sent again with the same bytes until it is answered with 2xx. */
export interface Stream {
  /** Alerts that were answered with 200. */
  readonly acknowledged: ReadonlySet<string>;
  /** Waits until `more` alerts were acknowledged from now on; gives up after 20 s, when nothing may answer. */
  progress(more: number): Promise<void>;
  /** Alerts that were sent at least once. */
  readonly sent: number;
  /** Answers by status, and `cut` for connections that gave none. */
  readonly answers: Readonly<Record<string, number>>;
  /** Sends nothing new, and gives up what is not answered. */
  stop(): Promise<void>;
}

export function startStream({ url, senders, random, copies = 0.1, pauseMs = 10 }: StreamOptions): Stream {
  const acknowledged = new Set<string>();
  const answers: Record<string, number> = {};
  let sent = 0;
  let stopped = false;
  const send = async (name: string): Promise<boolean> => {
    const body = JSON.stringify({
      version: '4',
      groupKey: `{}:{alertname="${name}"}`,
      receiver: 'chaos',
      externalURL: 'http://alertmanager',
      alerts: [{ status: 'firing', labels: { alertname: name }, startsAt: '2026-01-01T00:00:00Z' }],
    });
    const status = await post(`${url()}/webhook/alerts`, body);
    answers[status] = (answers[status] ?? 0) + 1;
    return status === 200;
  };
  const sender = async (): Promise<void> => {
    while (!stopped) {
      const name = `alert-${++sent}.`;
      while (!stopped) {
        if (await send(name)) {
          acknowledged.add(name);
          break;
        }
        await pause(30 + random() * 100);
      }
      if (!stopped && random() < copies) await send(name);
      await pause(pauseMs * random() * 2);
    }
  };
  const running = Array.from({ length: senders }, sender);
  return {
    acknowledged,
    get sent() {
      return sent;
    },
    answers,
    async progress(more) {
      const goal = acknowledged.size + more;
      await eventually(() => acknowledged.size >= goal, { timeoutMs: 20_000 }).catch(() => undefined);
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
    },
  };
}

/** What became of the acknowledged alerts: those that are nowhere, and how many messages came twice. */
export async function account(
  acknowledged: ReadonlySet<string>,
  provider: FakeProvider,
  // biome-ignore lint/suspicious/noExplicitAny: whatever it answers
  app: { call(path: string): Promise<{ json(): any }> },
): Promise<{ lost: string[]; repeats: number; dead: number; law: string | undefined }> {
  const look = async () => {
    const { law } = await eventually(
      async () => {
        const overview = (await app.call('/api/overview')).json();
        if (overview.law.pending > 0) throw new Error(`${overview.law.pending} still pending`);
        return overview;
      },
      { timeoutMs: 60_000, everyMs: 200 },
    );
    const { deadLetters } = (await app.call('/api/dead-letters?limit=1000')).json();
    const deadText = JSON.stringify(deadLetters);
    const counts = new Map<string, number>();
    for (const { body } of provider.requests) {
      for (const name of new Set([...body.matchAll(/alert-\d+\./g)].map(([each]) => each))) {
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    const lost = [...acknowledged].filter((name) => !counts.has(name) && !deadText.includes(name));
    return { law, deadLetters, counts, lost };
  };
  // On a shared database the counts are read now and then, and a dead instance's lease has to end first: what is missing
  // gets that time. What is lost stays lost.
  const within = performance.now() + 60_000;
  let found = await look();
  while (found.lost.length > 0 && performance.now() < within) {
    await pause(1_000);
    found = await look();
  }
  const { law, deadLetters, counts, lost } = found;
  const repeats = [...counts.values()].reduce((sum, count) => sum + Math.max(0, count - 1), 0);
  return { lost, repeats, dead: deadLetters.length, law: law.holds ? undefined : JSON.stringify(law) };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The status, or `cut` when the connection gave none within 20 s. */
function post(url: string, body: string): Promise<number | 'cut'> {
  return new Promise((resolve) => {
    const outgoing = request(url, { method: 'POST', agent: false, timeout: 20_000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 'cut'));
      response.on('error', () => resolve('cut'));
      response.on('aborted', () => resolve('cut'));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve('cut'));
    outgoing.end(body);
  });
}
