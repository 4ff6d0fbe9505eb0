import type { LifeEvent } from '@holdfast/alert-delivery';
import type { Copy } from '../activity.js';
import { title } from '../words.js';
import type { ShownNotification } from './api.js';
import { html } from './html.js';
import { Mark } from './overview-blocks.js';
import { useStore } from './state.js';
import { oneLine } from './text.js';
import { clock, span, utcText } from './time.js';

interface Moment {
  at: number;
  tone: string;
  what: string;
  more?: string | undefined;
}

/** Everything that happened to one notification, in order, copies of its post included. */
export function Timeline({ notification }: { notification: ShownNotification }) {
  const { utc } = useStore();
  const { acceptedAt } = notification;
  if (acceptedAt === undefined) {
    return html`<p class="quiet">Its story is older than what the history keeps.</p>`;
  }
  const moments = momentsOf(notification, acceptedAt);
  return html`<ol class="timeline">
    ${moments.map(
      ({ at, tone, what, more }, index) => html`<li key=${index} class=${tone}>
        <${Mark} tone=${tone} />
        <time datetime=${new Date(at).toISOString()} title=${utcText(at)}>${index === 0 ? clock(at, utc) : `+${span(Math.max(0, at - acceptedAt))}`}</time>
        <span class="what">${what}${more === undefined ? '' : html` <span class="more" dir="auto">${more}</span>`}</span>
      </li>`,
    )}
  </ol>`;
}

function momentsOf({ sender, reason, events = [], copies, status }: ShownNotification, acceptedAt: number): Moment[] {
  const from = sender?.trim() ? ` from ${oneLine(sender.trim(), 120)}` : '';
  const moments: Moment[] = [
    { at: acceptedAt, tone: 'idle', what: `received${from} and made durable`, more: reason && oneLine(reason) },
  ];
  events.forEach((event, at) => {
    const moment = momentOf(event, events[at + 1]);
    if (moment) moments.push({ at: event.at, ...moment });
  });
  for (const copy of copies.newest) moments.push(copyMoment(copy));
  moments.sort((a, b) => a.at - b.at);
  if (copies.count > copies.newest.length) {
    moments.push({ at: Date.now(), tone: 'idle', what: `${copies.count - copies.newest.length} more copies absorbed` });
  }
  if (status === 'pending' && events.length === 0) {
    moments.push({ at: Date.now(), tone: 'busy', what: 'waiting for its first attempt' });
  }
  return moments;
}

function momentOf(event: LifeEvent, next: LifeEvent | undefined): Omit<Moment, 'at'> | undefined {
  switch (event.type) {
    case 'started':
      return next === undefined ? { tone: 'busy', what: `${title(event.channel)}: under way` } : undefined;
    case 'attempted':
      return {
        tone: 'bad',
        what: `${title(event.channel)} attempt ${event.attempt}: ${verdictWords(event.verdict)} after ${span(event.ms)}${event.minimal ? ', minimal form' : ''}`,
        more:
          oneLine(event.error, 400) +
          (event.retryAfterMs === undefined ? '' : ` (asked to wait ${span(event.retryAfterMs)})`),
      };
    case 'waited': {
      const why = {
        backoff: 'before the next attempt',
        throttled: 'the channel asked for it',
        busy: 'for a free place',
      };
      return { tone: 'idle', what: `waited ${span(event.ms)}`, more: why[event.why] };
    }
    case 'escalated':
      return {
        tone: 'warn',
        what: `${title(event.channel)} given up${event.to === undefined ? '' : `, on to ${title(event.to)}`}`,
        more: escalationWords(event.why),
      };
    case 'delivered':
      return {
        tone: 'ok',
        what: `delivered by ${title(event.channel)} in ${span(event.ms)}${event.late ? ', after its time was up' : ''}`,
        more: event.receipt && `receipt ${oneLine(event.receipt, 120)}`,
      };
    case 'copied':
      return { tone: 'ok', what: `copy to ${title(event.channel)}, which had told of the firing` };
    case 'coalesced':
      return { tone: 'ok', what: 'sent as part of another message', more: event.into };
    case 'dead':
      return { tone: 'bad', what: 'dead letter', more: escalationWords(event.reason) };
    case 'replayed':
      return { tone: 'warn', what: `replayed${event.asNew ? ' as new' : ''}` };
    case 'recovered':
      return { tone: 'warn', what: 'taken over after a restart' };
    default:
      return { tone: 'idle', what: (event as { type: string }).type };
  }
}

/** Why a copy came, as far as it can be told. */
function copyMoment({ at, sender, why }: Copy): Moment {
  const words = {
    joined: 'a copy came while this was being accepted: answered with the same answer',
    'same-sender': 'the same post again: its answer was lost, or Alertmanager was reloaded',
    'other-sender': 'copy from the other peer of the pair',
    stale: 'an older state from a peer that had not heard of the change',
  };
  return { at, tone: 'idle', what: `absorbed: ${words[why]}`, more: sender.trim() };
}

function verdictWords(verdict: string): string {
  const words: Record<string, string> = {
    transient: 'failed',
    throttled: 'asked to wait',
    rejected: 'refused this message',
    channelDown: 'refuses every message',
    ambiguous: 'may have arrived',
  };
  return words[verdict] ?? verdict;
}

function escalationWords(why: string): string {
  const words: Record<string, string> = {
    exhausted: 'no attempt left',
    rejected: 'it refuses this message',
    channelDown: 'it refuses every message',
    'breaker-open': 'it is known to be down',
    throttled: 'it asked for too long a wait',
    ambiguous: 'it may have arrived',
    deadline: 'its time was up',
    'no-route': 'nothing in it is an alert',
  };
  return words[why] ?? why;
}

export { escalationWords };
