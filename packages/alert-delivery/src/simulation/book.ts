import type { Alert } from '../alert.js';
import type { Delivery } from '../contract.js';
import { lawHolds } from '../law.js';
import type { Taken } from './network.js';

/** What was asked of a delivery, what it answered, and what the providers took: finds every contradiction. */
export class Book {
  readonly violations: string[] = [];
  readonly issued = new Map<string, Alert>();
  readonly acknowledged = new Set<string>();
  /** Ids that were sent, or ended, while the store could not write: nothing of that survives a crash. */
  readonly undurable = new Set<string>();
  /** The store failed to write events: a crash may then repeat a message without a mark. */
  unmarked = false;

  say(what: string): void {
    if (this.violations.length < 20) this.violations.push(what);
  }

  /** After an opening: everything that was acknowledged is there, and what is there can be read. */
  async opened(delivery: Delivery, audit: () => Promise<{ problems: string[] }>): Promise<void> {
    const stats = delivery.stats();
    if (!lawHolds(stats)) this.say(`the law does not hold after opening: ${JSON.stringify(stats)}`);
    for (const problem of (await audit()).problems) this.say(`after opening: ${problem}`);
    for (const id of this.acknowledged)
      if (!this.undurable.has(id) && !(await delivery.explain(id))) this.say(`${id} was acknowledged and is not known`);
  }

  /** When all is over: every alert has ended, as the providers saw it. */
  async closed(delivery: Delivery, taken: readonly Taken[]): Promise<void> {
    const stats = delivery.stats();
    if (!lawHolds(stats)) this.say(`the law does not hold at the end: ${JSON.stringify(stats)}`);
    if (stats.pending > 0) this.say(`${stats.pending} alerts are still pending`);
    if (stats.accepted > this.issued.size) this.say(`${stats.accepted} accepted of ${this.issued.size}`);
    const letters = new Map<string, Alert>();
    for await (const { id, alert } of delivery.dead()) letters.set(id, alert);
    if (letters.size !== stats.dead) this.say(`${stats.dead} dead letters are counted and ${letters.size} are there`);
    for (const id of this.acknowledged) {
      const known = await delivery.explain(id);
      if (!known) {
        // Who accepts while the store is broken is told "accepted" only once a channel took it.
        if (!this.undurable.has(id)) this.say(`${id} was acknowledged and is lost`);
        else if (!taken.some((message) => message.members.includes(id))) this.say(`${id} was sent to nobody`);
        continue;
      }
      const { outcome } = known;
      if (outcome?.status === 'delivered') {
        if (!taken.some(({ channel, members }) => channel === outcome.channel && members.includes(id)))
          this.say(`${id} is delivered on ${outcome.channel}, which never took it`);
      } else if (outcome?.status === 'coalesced') {
        if (!taken.some((message) => message.id === outcome.into && message.members.includes(id)))
          this.say(`${id} is coalesced into ${outcome.into}, which nobody took`);
      } else if (outcome?.status === 'dead') {
        const { title, data } = this.issued.get(id)!;
        const letter = letters.get(id);
        if (letter && (letter.title !== title || JSON.stringify(letter.data) !== JSON.stringify(data)))
          this.say(`the dead letter of ${id} is not what was accepted`);
        else if (!letter && stats.evicted === 0) this.say(`${id} is dead and has no letter`);
      }
    }
    if (!this.unmarked) this.#repeats(taken);
  }

  /** Whatever a channel may have got before says so. */
  #repeats(taken: readonly Taken[]): void {
    const seen = new Set<string>();
    const keys = new Map<string, string>();
    for (const { channel, id, members, key, marked } of [...taken].sort((a, b) => a.sent - b.sent)) {
      const before = members.filter((member) => !this.undurable.has(member) && seen.has(`${channel} ${member}`));
      if (before.length > 0 && !marked) this.say(`${channel} got ${before.join(', ')} again and was not told`);
      for (const member of members) seen.add(`${channel} ${member}`);
      const known = keys.get(`${channel} ${id}`);
      if (known !== undefined && known !== key) this.say(`${channel} got ${id} with another key`);
      keys.set(`${channel} ${id}`, key);
    }
  }
}
