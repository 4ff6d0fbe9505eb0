import type { Clock } from '@holdfast/clock';
import type { Admission } from './admission.js';
import type { Receipt } from './channel.js';
import type { LifeEvent } from './life.js';
import type { Parcel } from './parcel.js';
import type { StepResult } from './post.js';

/** Waits before a retry; ends early when delivery closes or a late success makes the retry needless. */
export function pause(parcel: Parcel, channel: string, ms: number, clock: Clock): Promise<void> {
  parcel.note({ type: 'waited', at: clock.now(), channel, why: 'backoff', ms });
  return new Promise((resolve) => {
    const { signal } = parcel.controller;
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      parcel.onLanded = undefined;
      resolve();
    };
    const cancel = clock.schedule(ms, done, { ref: true });
    signal.addEventListener('abort', done, { once: true });
    parcel.onLanded = done;
    if (signal.aborted || parcel.landed) done();
  });
}

export function refusal(
  admission: Exclude<Admission<Parcel>, { kind: 'go' }>,
  parcel: Parcel,
  clock: Clock,
  attempted: boolean,
): StepResult {
  if (parcel.landed) return late(parcel, clock);
  switch (admission.kind) {
    case 'folded':
      return { kind: 'folded' };
    case 'aborted':
      return { kind: 'stopped' };
    case 'refused':
      return { kind: 'ended', why: admission.why, attempted };
  }
}

/** An attempt at this member, in another message or another life, may have arrived. */
export function mayRepeat(events: readonly LifeEvent[], channel: string): boolean {
  let maybe = false;
  for (const event of events) {
    if (event.type === 'started' && event.channel === channel) maybe = true;
    else if (event.type === 'attempted' && event.channel === channel && event.verdict !== 'ambiguous' && !event.repeat)
      maybe = false;
    else if (event.type === 'replayed' && event.asNew) maybe = false;
  }
  return maybe;
}

export function late(parcel: Parcel, clock: Clock): Extract<StepResult, { kind: 'delivered' }> {
  const { channel, attempt: n, ms } = parcel.landed!;
  return { kind: 'delivered', event: { type: 'delivered', at: clock.now(), channel, attempt: n, ms, late: true } };
}

export function deliveredEvent(
  channel: string,
  n: number,
  ms: number,
  repeat: boolean,
  receipt: Receipt | undefined,
  clock: Clock,
): Extract<LifeEvent, { type: 'delivered' }> {
  const event = { type: 'delivered', at: clock.now(), channel, attempt: n, ms } as const;
  if (!receipt && !repeat) return event;
  const { id, rejected } = receipt ?? {};
  return {
    ...event,
    ...(repeat && { repeat }),
    ...(typeof id === 'string' && { receipt: id.slice(0, 200) }),
    ...(rejected && rejected.length > 0 && { rejected: rejected.slice(0, 50) }),
  };
}
