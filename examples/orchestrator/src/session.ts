import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a login lasts. Choice: a shift. */
const LIFETIME_MS = 12 * 3_600_000;
/** Wrong tokens from one address, or from all together, before the login asks to wait. */
const TRIES = { perAddress: 10, inAll: 100, withinMs: 60_000 };

/**
 * Logins to the page. A session is a random id with its end, signed by a key made of `API_TOKEN`: every instance knows it,
 * a restart keeps it, a new token ends them all, and the cookie tells nothing about the token.
 */
export class Sessions {
  readonly #key: Buffer;
  readonly #token: Buffer;

  constructor(token: string) {
    this.#token = digest(token);
    this.#key = createHmac('sha256', 'holdfast page session').update(token).digest();
  }

  /** Whether `given` is the token, compared in constant time. */
  isToken(given: string): boolean {
    return timingSafeEqual(digest(given), this.#token);
  }

  create(now: number): { value: string; maxAgeMs: number } {
    const body = `${randomBytes(16).toString('base64url')}.${(now + LIFETIME_MS).toString(36)}`;
    return { value: `${body}.${this.#sign(body)}`, maxAgeMs: LIFETIME_MS };
  }

  /** Whether a cookie was made here and has not ended. */
  holds(value: string, now: number): boolean {
    const [id, end, signature, ...more] = value.split('.');
    if (!id || !end || !signature || more.length > 0) return false;
    const expected = this.#sign(`${id}.${end}`);
    return timingSafeEqual(digest(signature), digest(expected)) && Number.parseInt(end, 36) > now;
  }

  #sign(body: string): string {
    return createHmac('sha256', this.#key).update(body).digest('base64url');
  }
}

/** Slows down who tries tokens. Bounded: it holds one minute of failures. */
export class LoginLimit {
  #failures: { at: number; address: string }[] = [];

  /** Whether `address` may try now. */
  allows(address: string, now: number): boolean {
    this.#failures = this.#failures.filter(({ at }) => now - at < TRIES.withinMs);
    const own = this.#failures.filter((each) => each.address === address).length;
    return own < TRIES.perAddress && this.#failures.length < TRIES.inAll;
  }

  failed(address: string, now: number): void {
    this.#failures.push({ at: now, address });
  }
}

/** The value of one cookie of a `Cookie` header. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
