import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The providers that {@link fakeProvider} can play. */
export type ProviderKind = 'slack' | 'sendgrid' | 'pagerduty' | 'webhook';

/** A request that a fake provider received whole. */
export interface ProviderRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How it treats a request. Nothing given: as the real one does, which refuses what is malformed. */
export interface ProviderReply {
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  /** Takes the request and never answers. */
  readonly hang?: boolean | undefined;
  /** Takes the request and resets the connection. */
  readonly reset?: boolean | undefined;
}

/** A provider on loopback that plays by the rules of the real one, follows a script, and remembers what it got. */
export interface FakeProvider extends AsyncDisposable {
  /** What to configure: the webhook's URL, or the base URL of the API. */
  readonly url: string;
  readonly requests: readonly ProviderRequest[];
  /** Connections that are open now. */
  connections(): Promise<number>;
  /** From now on: one reply each for the next requests, or a decision for each (`n` counts from 1, over all requests). */
  script(
    replies: readonly ProviderReply[] | ((request: ProviderRequest, n: number) => ProviderReply | undefined),
  ): void;
  close(): Promise<void>;
}

/**
 * Starts a provider for tests. Each refuses what the real one refuses: a Slack text that is empty, a SendGrid mail without
 * a key, a PagerDuty event without a routing key, a webhook whose signature is wrong (`secret`).
 */
export async function fakeProvider(kind: ProviderKind, { secret }: { secret?: string } = {}): Promise<FakeProvider> {
  const requests: ProviderRequest[] = [];
  let decide: (request: ProviderRequest, n: number) => ProviderReply | undefined = () => undefined;
  const server = createServer((incoming, response) => {
    read(incoming)
      .then((body) => {
        const { method = '', url: path = '', headers } = incoming;
        const request: ProviderRequest = { method, path, headers, body };
        requests.push(request);
        answer(response, decide(request, requests.length) ?? PROVIDERS[kind](request, requests.length, secret));
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${port}${kind === 'slack' ? '/services/T000/B000/fakefakefake' : kind === 'webhook' ? '/hook' : ''}`,
    requests,
    connections: () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))),
    script(replies) {
      if (typeof replies === 'function') decide = replies;
      else {
        const queue = [...replies];
        decide = () => queue.shift();
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function answer(response: ServerResponse, reply: ProviderReply): void {
  if (reply.reset) response.socket?.resetAndDestroy();
  else if (!reply.hang) response.writeHead(reply.status ?? 200, reply.headers).end(reply.body ?? '');
}

const PROVIDERS: Record<
  ProviderKind,
  (request: ProviderRequest, n: number, secret: string | undefined) => ProviderReply
> = {
  slack({ body }) {
    const { text } = parsed(body);
    if (typeof text !== 'string' || text === '') return { status: 400, body: 'no_text' };
    if (text.length > 40_000) return { status: 400, body: 'invalid_payload' };
    return { status: 200, body: 'ok' };
  },
  sendgrid({ headers, body, path }, n) {
    if (path !== '/v3/mail/send') return { status: 404 };
    if (!/^Bearer \S+$/.test(headers.authorization ?? '')) return { status: 401, body: '{"errors":[{}]}' };
    const { subject, content } = parsed(body);
    if (typeof subject !== 'string' || subject === '' || !Array.isArray(content)) return { status: 400 };
    return { status: 202, headers: { 'x-message-id': `fake-${n}` } };
  },
  pagerduty({ body, path }) {
    if (path !== '/v2/enqueue') return { status: 404 };
    if (Buffer.byteLength(body) > 512_000) return { status: 413 };
    const { routing_key, event_action, dedup_key, payload } = parsed(body);
    const wrong = (error: string): ProviderReply => ({
      status: 400,
      body: JSON.stringify({ status: 'invalid event', errors: [error] }),
    });
    if (typeof routing_key !== 'string' || routing_key === '') return wrong("'routing_key' is missing or blank");
    if (!['trigger', 'acknowledge', 'resolve'].includes(String(event_action)))
      return wrong("'event_action' is invalid");
    const { summary, severity, source } = (payload ?? {}) as Record<string, unknown>;
    if (event_action === 'trigger' && !(summary && severity && source)) return wrong("'payload' is incomplete");
    if (event_action === 'resolve' && !dedup_key) return wrong("'dedup_key' is missing or blank");
    return { status: 202, body: JSON.stringify({ status: 'success', message: 'Event processed', dedup_key }) };
  },
  webhook({ headers, body }, _n, secret) {
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers;
    if (secret !== undefined) {
      const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
      const right = createHmac('sha256', key)
        .update(`${String(id)}.${String(timestamp)}.${body}`)
        .digest('base64');
      if (signature !== `v1,${right}`) return { status: 401, body: 'wrong signature' };
    }
    return { status: 204 };
  },
};

function parsed(body: string): Record<string, unknown> {
  try {
    return (JSON.parse(body) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
