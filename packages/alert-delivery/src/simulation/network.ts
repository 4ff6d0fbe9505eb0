import type { StoredAlert } from '../alert.js';
import type { Channel } from '../channel.js';
import { ChannelError } from '../errors.js';
import type { SimulatedTime } from './clock.js';

/** Numbers that look random and are the same for the same seed. */
export interface Random {
  next(): number;
  below(below: number): number;
  oneIn(times: number): boolean;
}

/** A message that a provider took. */
export interface Taken {
  readonly channel: string;
  /** Of the message: an alert's id, or a digest's. */
  readonly id: string;
  readonly members: readonly string[];
  readonly key: string;
  readonly marked: boolean;
  /** Counts the sends: what was sent first may arrive last. */
  readonly sent: number;
}

/** What a provider does with one message. */
type Fate =
  | 'ok'
  | 'ok, late'
  | 'refused for now'
  | 'taken, connection cut'
  | 'never answers'
  | 'taken, never answers'
  | 'throttled'
  | 'rejected'
  | 'down';

const BAD: readonly Fate[] = [
  'ok, late',
  'refused for now',
  'taken, connection cut',
  'never answers',
  'taken, never answers',
  'throttled',
  'rejected',
  'down',
];

/** The providers of a simulation: they remember what they took, whatever became of who sent it. */
export class SimulatedNetwork {
  readonly taken: Taken[] = [];
  /** Of 100 messages, how many meet something else than `ok`. */
  badPercent = 50;
  #sent = 0;
  readonly #time: SimulatedTime;
  readonly #random: Random;

  constructor(time: SimulatedTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  /** A channel as one life of a process sees it. */
  channel(name: string, life: { alive: boolean }, idempotent: boolean): Channel {
    return {
      name,
      idempotent,
      send: (alert, { idempotencyKey: key, maybeRepeat: marked }) => {
        const message = { channel: name, id: alert.id, members: membersOf(alert), key, marked, sent: ++this.#sent };
        return new Promise<void>((resolve, reject) => {
          const fate = this.#random.below(100) < this.badPercent ? BAD[this.#random.below(BAD.length)]! : 'ok';
          // The message is on the wire for a while; a process that dies meanwhile never hears of it.
          this.#after(life, this.#random.below(30), () => this.#meet(fate, message, life, resolve, reject));
        });
      },
    };
  }

  #meet(
    fate: Fate,
    message: Taken,
    life: { alive: boolean },
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    const answer = (ms: number, settle: () => void): void => this.#after(life, ms, settle);
    const quick = this.#random.below(30);
    switch (fate) {
      case 'ok':
        this.taken.push(message);
        return answer(quick, resolve);
      case 'ok, late':
        this.taken.push(message);
        return answer(900 + this.#random.below(400), resolve);
      case 'taken, connection cut':
        this.taken.push(message);
        return answer(quick, () => reject(Object.assign(new Error('cut'), { code: 'ECONNRESET' })));
      case 'taken, never answers':
        this.taken.push(message);
        return;
      case 'never answers':
        return;
      case 'refused for now':
        return answer(quick, () => reject(new ChannelError('busy', { kind: 'transient' })));
      case 'throttled':
        return answer(quick, () => reject(new ChannelError('slow down', { kind: 'throttled', retryAfterMs: 500 })));
      case 'rejected':
        return answer(quick, () => reject(new ChannelError('bad', { kind: 'rejected' })));
      case 'down':
        return answer(quick, () => reject(new ChannelError('revoked', { kind: 'channelDown' })));
    }
  }

  /** What is on the wire arrives even when its sender is dead by then; only the answer is lost. */
  #after(life: { alive: boolean }, ms: number, fn: () => void): void {
    if (!life.alive) return;
    this.#time.after(ms, fn, this);
  }
}

function membersOf(alert: StoredAlert): readonly string[] {
  return alert.digest ? alert.digest.ids : [alert.id];
}
