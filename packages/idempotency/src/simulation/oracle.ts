import type { Claim } from '../decide.js';

/** One answered claim that made its caller the owner, as that caller sees it. `sent` and `heard` count steps of the schedule. */
export interface Ownership {
  readonly key: string;
  readonly state: string;
  readonly token: string;
  readonly id: string;
  readonly attempt: number;
  readonly sent: number;
  readonly sentAt: number;
  readonly heard: number;
  /** Until when it may believe to be the owner: counted from before the claim or renewal was sent. */
  until: number;
  /** It has sent settle or release: from then on it may be replaced. */
  ending: boolean;
  settleSent: boolean;
  readonly steps: { name: string; value: string; heard: number }[];
}

interface Result {
  readonly owner: Ownership;
  readonly value: string;
  readonly sent: number;
  readonly sentAt: number;
  readonly heard: number;
}

/** A claim as it was sent, and when. */
export interface SentClaim {
  readonly key: string;
  readonly lane: boolean;
  readonly state: string;
  readonly token: string;
  readonly sent: number;
  readonly sentAt: number;
}

/** The times that the simulated callers use, milliseconds. */
export interface SimulationTimes {
  readonly leaseMs: number;
  readonly ttlMs: number;
  readonly windowMs: number;
  readonly keepMs: number;
  /** How much the store's time may be behind what a caller has seen: 0, or the resolution of a server's clock. */
  readonly slackMs: number;
}

/**
 * What the store is held to. It only knows what callers saw, in which order they sent and heard, so that it never accuses a
 * store of an order of concurrent operations that it was free to choose.
 */
export class Oracle {
  readonly violations: string[] = [];
  readonly #times: SimulationTimes;
  readonly #owners: Ownership[] = [];
  readonly #results: Result[] = [];
  /** Every value that a settle was sent with, by key and state. */
  readonly #offered = new Map<string, Set<string>>();

  constructor(times: SimulationTimes) {
    this.#times = times;
  }

  claimed(claim: SentClaim, answer: Claim, heard: number, now: number): Ownership | undefined {
    this.#resultIsKept(claim, answer, now);
    switch (answer.verdict) {
      case 'mine':
        return this.#took(claim, answer, heard, now);
      case 'done':
        if (!this.#offered.get(`${claim.key} ${claim.state}`)?.has(answer.value))
          this.#accuse(claim.key, `answered ${answer.value}, which nobody settled`);
        return undefined;
      case 'busy':
        if (!(answer.leftMs > 0 && answer.leftMs <= this.#times.leaseMs))
          this.#accuse(claim.key, `busy for ${answer.leftMs} ms`);
        return undefined;
      case 'reused':
        this.#accuse(claim.key, 'refused a fingerprint that nobody gave');
        return undefined;
    }
  }

  settling(owner: Ownership, value: string): void {
    owner.ending = true;
    owner.settleSent = true;
    const name = `${owner.key} ${owner.state}`;
    const offered = this.#offered.get(name) ?? new Set();
    this.#offered.set(name, offered.add(value));
  }

  settled(owner: Ownership, value: string, sent: number, sentAt: number, heard: number, accepted: boolean): void {
    if (!accepted) return;
    this.#stillOwned(owner, sent, 'settle');
    this.#results.push({ owner, value, sent, sentAt, heard });
  }

  renewed(owner: Ownership, sent: number, sentAt: number, accepted: boolean): void {
    if (!accepted) return;
    this.#stillOwned(owner, sent, 'renew');
    owner.until = Math.max(owner.until, sentAt + this.#times.leaseMs);
  }

  released(owner: Ownership, sent: number, accepted: boolean): void {
    if (accepted) this.#stillOwned(owner, sent, 'release');
  }

  stepped(owner: Ownership, name: string, value: string, sent: number, heard: number, accepted: boolean): void {
    if (!accepted) return;
    this.#stillOwned(owner, sent, 'step');
    owner.steps.push({ name, value, heard });
  }

  /** After everybody is gone and every lease is over, a key is free or answered. */
  atRest(key: string, answer: Claim): void {
    if (answer.verdict === 'busy') this.#accuse(key, 'busy although every lease is over');
  }

  #took(claim: SentClaim, answer: Claim & { verdict: 'mine' }, heard: number, now: number): Ownership {
    const { key, state, token, sent, sentAt } = claim;
    const { id, attempt } = answer;
    const { leaseMs, slackMs, keepMs } = this.#times;
    const until = sentAt + leaseMs - slackMs;
    for (const other of this.#owners) {
      if (other.key !== key || other.token === token) continue;
      if (!other.ending && other.until > now && until > now) this.#accuse(key, 'two live owners');
      const after = other.heard < sent;
      if (after && other.id === id && attempt <= other.attempt)
        this.#accuse(key, `attempt ${attempt} after ${other.attempt}`);
      if (other.id !== id) continue;
      for (const step of other.steps) {
        if (step.heard >= sent) continue;
        const kept = answer.steps.find(([name]) => name === step.name);
        if (kept?.[1] !== step.value) this.#accuse(key, `a step of run ${id} was lost at its takeover`);
      }
    }
    const owners = this.#owners.filter((owner) => owner.key === key);
    const before = owners.at(-1);
    const certain =
      before && before.heard < sent && owners.every((each) => each === before || each.heard < before.sent);
    if (certain && !claim.lane && !before.settleSent && before.id !== id && now < before.sentAt + keepMs)
      this.#accuse(key, 'an unfinished run was begun anew with another id');
    const steps = answer.steps.map(([name, value]) => ({ name, value, heard }));
    const owner = {
      key,
      state,
      token,
      id,
      attempt,
      sent,
      sentAt,
      heard,
      until,
      ending: false,
      settleSent: false,
      steps,
    };
    this.#owners.push(owner);
    return owner;
  }

  /** A result whose settling was heard of before the claim was sent answers it, as long as it is kept. */
  #resultIsKept(claim: SentClaim, answer: Claim, now: number): void {
    const { ttlMs, windowMs, slackMs } = this.#times;
    const result = this.#results.filter(({ owner }) => owner.key === claim.key).at(-1);
    if (!result || result.heard >= claim.sent) return;
    if (!claim.lane) {
      if (now >= result.sentAt + ttlMs - slackMs) return;
      if (answer.verdict !== 'done') this.#accuse(claim.key, `a result was lost: ${answer.verdict}`);
      else if (answer.value !== result.value) this.#accuse(claim.key, 'another result than the one settled');
      return;
    }
    // A lane answers with its last state, within the window; others of its states may be running or just settling.
    if (result.owner.state !== claim.state || now >= result.owner.sentAt + windowMs - slackMs) return;
    if (this.#owners.some((owner) => owner.key === claim.key && owner.settleSent && owner.sent > result.owner.sent))
      return;
    if (answer.verdict === 'mine') this.#accuse(claim.key, 'a delivered state of a lane ran again within its window');
  }

  #stillOwned(owner: Ownership, sent: number, what: string): void {
    const successor = this.#owners.find(
      (other) =>
        other.key === owner.key && other.token !== owner.token && other.sent > owner.heard && other.heard < sent,
    );
    if (successor) this.#accuse(owner.key, `${what} by an owner that had been replaced`);
  }

  #accuse(key: string, what: string): void {
    this.violations.push(`${key}: ${what}`);
  }
}
