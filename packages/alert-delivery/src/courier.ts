import { nextMove, type StepEnd } from './decide.js';
import type { EndEvent, LifeEvent } from './life.js';
import type { FullStep } from './options.js';
import type { Parcel } from './parcel.js';
import type { Post, WalkEnd } from './post.js';
import { type StepLimits, tryStep } from './try-step.js';

const NONE: ReadonlyMap<string, StepEnd> = new Map();

/** Takes one parcel through its route until a channel takes it or none is left. Never rejects. */
export async function walk(parcel: Parcel, route: readonly FullStep[], post: Post): Promise<WalkEnd> {
  const { clock, deadlineMs } = post;
  const deadlineAtMs = clock.monotonic() + deadlineMs;
  let ended: Map<string, StepEnd> | undefined;
  for (const channel of parcel.progress().exhausted) {
    ended ??= new Map();
    ended.set(channel, { why: 'exhausted', attempted: true });
  }
  let forced = false;
  let end: EndEvent | undefined;
  while (!end) {
    const move = nextMove(route, ended ?? NONE, { deadlineAtMs, deadlineMs }, post.channels, forced);
    if (move.kind === 'dead') {
      end = { type: 'dead', at: clock.now(), reason: move.reason };
      break;
    }
    if (move.kind === 'force') forced = true;
    const step = route[move.index]!;
    const force = move.kind === 'force';
    const limits: StepLimits = force
      ? { force, last: true, limitMs: deadlineAtMs, reserveMs: move.reserveMs }
      : { force, last: move.last, limitMs: move.limitMs, reserveMs: move.reserveMs };
    const result = await tryStep(parcel, step, limits, post);
    switch (result.kind) {
      case 'delivered':
        if (parcel.works.some(({ record }) => record.alert.status === 'resolved'))
          for (const other of await post.firingSteps(parcel, result.event.channel)) await copy(parcel, other, post);
        end = endOf(parcel, result.event);
        break;
      case 'ended': {
        const over = (ended ??= new Map<string, StepEnd>());
        const from = step.name;
        over.set(from, { why: result.why, attempted: result.attempted || (over.get(from)?.attempted ?? false) });
        const to = route.find((other) => !over.has(other.name))?.name;
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
  await parcel.write(end);
  return parcel.lost ? { kind: 'lost' } : { kind: 'ended', end };
}

/** What a delivery is to the alerts in the parcel: for those of a digest, that they were folded into it. */
function endOf(parcel: Parcel, event: Extract<LifeEvent, { type: 'delivered' }>): EndEvent {
  if (parcel.digestId === undefined) return event;
  const { at, channel, attempt: n, ms } = event;
  return { type: 'coalesced', at, into: parcel.digestId, channel, attempt: n, ms };
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
