import { nextMove, type StepEnd } from './decide.js';
import type { DeadReason, EndEvent, LifeEvent } from './life.js';
import type { FullStep } from './options.js';
import type { Parcel } from './parcel.js';
import type { Post, WalkEnd } from './post.js';
import { type StepLimits, tryStep } from './try-step.js';

/** Takes one parcel through its route until a channel takes it or none is left. Never rejects. */
export async function walk(parcel: Parcel, route: readonly FullStep[], post: Post): Promise<WalkEnd> {
  const { clock } = post;
  const deadlineAtMs = clock.monotonic() + post.deadlineMs;
  const ended = new Map<string, StepEnd>();
  for (const channel of parcel.progress().exhausted) ended.set(channel, { why: 'exhausted', attempted: true });
  const facts = route.map((step) => ({ name: step.channel.name, timeoutMs: step.timeoutMs }));
  const channels = {
    lastFailedAtMs: (name: string) => post.gate(route.find((step) => step.channel.name === name)!).lastFailedAtMs,
  };
  let forced = false;
  for (;;) {
    const time = { nowMs: clock.monotonic(), deadlineAtMs, deadlineMs: post.deadlineMs };
    const move = nextMove(facts, ended, time, channels, forced);
    if (move.kind === 'dead') return dead(parcel, move.reason, post);
    if (move.kind === 'force') forced = true;
    const step = route[move.index]!;
    const force = move.kind === 'force';
    const limits: StepLimits = force
      ? { force, last: true, limitMs: deadlineAtMs, reserveMs: move.reserveMs }
      : { force, last: move.last, limitMs: move.limitMs, reserveMs: move.reserveMs };
    const result = await tryStep(parcel, step, limits, post);
    switch (result.kind) {
      case 'delivered':
        return delivered(parcel, result.event, post);
      case 'ended': {
        ended.set(step.channel.name, {
          why: result.why,
          attempted: result.attempted || (ended.get(step.channel.name)?.attempted ?? false),
        });
        const to = facts.find((other) => !ended.has(other.name))?.name;
        const from = step.channel.name;
        parcel.note({
          type: 'escalated',
          at: clock.now(),
          channel: from,
          why: result.why,
          ...(to !== undefined && { to }),
        });
        if (to !== undefined)
          for (const id of parcel.ids) post.emit({ type: 'alert.escalated', id, from, to, why: result.why });
        break;
      }
      default:
        return result;
    }
  }
}

async function dead(parcel: Parcel, reason: DeadReason, post: Post): Promise<WalkEnd> {
  const end = { type: 'dead', at: post.clock.now(), reason } as const;
  return (await parcel.write(end)) === 'lost' ? { kind: 'lost' } : { kind: 'ended', end };
}

async function delivered(
  parcel: Parcel,
  event: Extract<LifeEvent, { type: 'delivered' }>,
  post: Post,
): Promise<WalkEnd> {
  if (parcel.works.some(({ record }) => record.alert.status === 'resolved'))
    for (const other of await post.firingSteps(parcel, event.channel)) await copy(parcel, other, post);
  const { channel, attempt: n, ms } = event;
  const end: EndEvent =
    parcel.digestId === undefined
      ? event
      : { type: 'coalesced', at: event.at, into: parcel.digestId, channel, attempt: n, ms };
  return (await parcel.write(end)) === 'lost' ? { kind: 'lost' } : { kind: 'ended', end };
}

/** The resolved notice also goes where the firing went. It is delivered either way; a copy that fails is an event. */
async function copy(parcel: Parcel, step: FullStep, post: Post): Promise<void> {
  const now = post.clock.monotonic();
  const limits = { force: false, last: true, limitMs: now + post.deadlineMs, reserveMs: step.timeoutMs };
  const result = await tryStep(parcel, step, limits, post, false);
  if (result.kind === 'delivered') {
    const { at, channel, attempt: n, ms } = result.event;
    parcel.note({ type: 'copied', at, channel, attempt: n, ms });
  } else if (result.kind === 'ended') {
    parcel.note({ type: 'escalated', at: post.clock.now(), channel: step.channel.name, why: result.why });
  }
}
