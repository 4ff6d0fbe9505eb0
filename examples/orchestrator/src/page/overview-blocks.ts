import type { ChannelView } from '../channel-watch.js';
import type { Overview } from '../overview.js';
import { needWords, plural, title, verdict } from '../words.js';
import { html } from './html.js';
import { setState, useStore, type View } from './state.js';
import { oneLine } from './text.js';
import { ago, clock, since, span, When } from './time.js';

/** Shape, word and colour: a state is never told by colour alone. */
export function Mark({ tone, label }: { tone: string; label?: string }) {
  const shapes: Record<string, string> = { ok: '✓', bad: '✕', warn: '▲', idle: '○', unknown: '?', busy: '…' };
  return html`<span class="mark ${tone}" aria-hidden=${label === undefined}>${shapes[tone] ?? '•'}${label === undefined ? '' : html`<span class="sr">${label}</span>`}</span>`;
}

/** Whether everything is accounted for, in words and in numbers. */
export function Verdict({ overview }: { overview: Overview }) {
  const { tone, text } = verdict(overview);
  return html`<section class="verdict ${tone}" aria-labelledby="verdict">
    <div role="status"><h2 id="verdict"><${Mark} tone=${tone} />${text}</h2></div>
    <${Law} law=${overview.law} />
  </section>`;
}

function Law({ law }: { law: Overview['law'] }) {
  const link = (name: string, status: string | undefined, count: number, why: string) => html`<a
    class="term ${name} ${count === 0 && name !== 'accepted' ? 'zero' : ''}"
    href=${`?view=notifications${status ? `&status=${status}` : ''}`}
    title=${why}
    onClick=${(event: MouseEvent) => go(event, 'notifications', status)}
    ><b>${count.toLocaleString('en')}</b> ${name}</a>`;
  return html`<p class="law" aria-label="Notifications since the store began">
    ${link('accepted', undefined, law.accepted, 'Every notification that was made durable')}
    <i aria-hidden="true">${law.holds ? '=' : '≠'}</i><span class="sr">${law.holds ? 'equals' : 'does not equal'}</span>
    ${link('delivered', 'delivered', law.delivered, 'A channel took it')}<i aria-hidden="true">+</i>
    ${link('coalesced', 'coalesced', law.coalesced, 'Sent as part of another message')}<i aria-hidden="true">+</i>
    ${link('pending', 'pending', law.pending, 'On its way')}<i aria-hidden="true">+</i>
    ${link('dead', 'dead', law.dead, 'No channel took it; it can be replayed')}
    ${law.evicted > 0 ? html`<i aria-hidden="true">+</i> <span class="term evicted"><b>${law.evicted.toLocaleString('en')}</b> evicted</span>` : ''}
  </p>`;
}

/** Shows another list without loading the page again. */
export function go(event: MouseEvent, view: View, status?: string): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  setState({ view, status: status as never, query: '', open: undefined as never });
  document.getElementById('lists')?.scrollIntoView({ block: 'start' });
}

/** What else needs somebody; dead letters have a section of their own. */
export function Needs({ overview }: { overview: Overview }) {
  const { now, utc } = useStore();
  const needs = overview.needs.filter(({ kind }) => kind !== 'dead');
  if (needs.length === 0) return '';
  return html`<ul class="needs" aria-label="What needs you">
    ${needs.map(
      (
        need,
      ) => html`<li key=${need.kind + ('name' in need ? need.name : '')} class=${need.kind === 'refused' || need.kind === 'consolidation' || need.kind === 'channel' ? 'warn' : 'bad'}>
        <${Mark} tone=${need.kind === 'component' || need.kind === 'law' ? 'bad' : 'warn'} />
        <div><bdi>${oneLine(
          needWords(need, (at) => `${clock(at, utc).slice(0, 5)}${utc ? ' UTC' : ''} (${ago(at, now)})`),
          400,
        )}</bdi>
        ${need.kind === 'channel' && need.error ? html` <code dir="auto">${oneLine(need.error)}</code>` : ''}
        ${need.kind === 'refused' ? html`<${Refusals} newest=${overview.refused.newest} />` : ''}</div>
      </li>`,
    )}
  </ul>`;
}

function Refusals({ newest }: { newest: Overview['refused']['newest'] }) {
  return html`<details><summary>${newest.length === 1 ? 'The newest one' : `The newest ${newest.length}`}</summary>
    ${[...newest].reverse().map(
      ({ at, from, why, body }) => html`<div class="refusal" key=${at}>
        <${When} at=${at} /> from <bdi>${from}</bdi>: <bdi>${why}</bdi><pre dir="auto">${oneLine(body, 2_000) || '(empty)'}</pre></div>`,
    )}
  </details>`;
}

/** The chain of channels in order, each with how it does, and the dead letters at its end. */
export function Chain({ overview }: { overview: Overview }) {
  return html`<section class="card chain" aria-labelledby="chain">
    <h2 id="chain">Chain</h2>
    <ol>
      ${overview.channels.map((channel) => html`<${ChannelItem} key=${channel.name} channel=${channel} />`)}
      <li class=${overview.law.dead > 0 ? 'bad' : 'idle'}>
        <div class="step"><${Mark} tone=${overview.law.dead > 0 ? 'bad' : 'idle'} /><b>Dead letters</b><span class="facts">${overview.law.dead === 0 ? 'none' : overview.law.dead.toLocaleString('en')}</span></div>
      </li>
    </ol>
  </section>`;
}

function ChannelItem({ channel }: { channel: ChannelView }) {
  const { now } = useStore();
  const words = { ok: 'works', failing: 'failing', down: 'down', throttled: 'asked to wait', idle: 'not used yet' };
  const tone = { ok: 'ok', failing: 'warn', down: 'bad', throttled: 'warn', idle: 'idle' }[channel.state];
  const lasting = channel.since === undefined ? '' : ` ${since(now - channel.since)}`;
  return html`<li class=${tone}>
    <div class="step"><${Mark} tone=${tone} /><b>${title(channel.name)}</b>
      <span class="facts">${words[channel.state]}${channel.state === 'throttled' ? ` ${span(channel.throttledMs)}` : lasting}</span></div>
    <div class="sub">
      ${channel.sent > 0 ? html`<span>${channel.sent.toLocaleString('en')} sent</span>` : ''}
      ${channel.p95Ms === undefined ? '' : html`<span title="from acceptance to the channel's yes, the last 200">p95 ${span(channel.p95Ms)}</span>`}
      ${channel.failed > 0 ? html`<span>${plural(channel.failed, 'failed attempt')}</span>` : ''}
      ${channel.waiting + channel.active > 0 ? html`<span>${channel.active} under way, ${channel.waiting} waiting</span>` : ''}
    </div>
    ${channel.error === undefined || channel.state === 'ok' ? '' : html`<div class="error" dir="auto">${channel.verdict}: ${oneLine(channel.error)}</div>`}
  </li>`;
}

/** Whether it may be sent work, and each part that says so. */
export function Readiness({ overview }: { overview: Overview }) {
  const { now } = useStore();
  const hidden = new Set(['alert book', 'page feed', 'memory scheduler', 'data', 'http']);
  const unwell = overview.components.filter(({ ok, name }) => !ok || !hidden.has(name));
  const fact: Record<string, string> = {
    kb: `${overview.entries.toLocaleString('en')} ${overview.entries === 1 ? 'entry' : 'entries'}`,
    idempotency: `${overview.remembered.toLocaleString('en')} posts remembered`,
    delivery: overview.store === 'files' ? 'journal on disk' : 'in MongoDB',
  };
  const ready = overview.state === 'ready';
  return html`<section class="card ready" aria-labelledby="ready">
    <h2 id="ready">${ready ? 'Ready' : title(overview.state)}</h2>
    <ul>
      ${unwell.map(
        ({
          name,
          ok,
          message,
          state,
        }) => html`<li key=${name}><${Mark} tone=${ok ? 'ok' : 'bad'} label=${ok ? 'ok' : 'not ok'} />
          <span>${title(name)}</span> <span class="facts">${message === undefined ? (fact[name] ?? state) : oneLine(message)}</span></li>`,
      )}
    </ul>
    <dl>
      <dt>Last webhook</dt><dd>${overview.lastWebhookAt === undefined ? 'none yet' : ago(overview.lastWebhookAt, now)}</dd>
      <dt>Oldest unsent</dt><dd>${overview.oldestUnsentAt === undefined ? 'none' : since(now - overview.oldestUnsentAt)}</dd>
      <dt>MEMORY.md</dt><dd>${overview.consolidation === undefined ? 'not written yet' : `${overview.consolidation.ok ? '' : 'failed '}${ago(overview.consolidation.at, now)}`}</dd>
      <dt>Running for</dt><dd>${since(now - overview.startedAt)}</dd>
    </dl>
  </section>`;
}

/** The last hour in two strips. */
export function Plots({ overview }: { overview: Overview }) {
  return html`<section class="card plots" aria-labelledby="plots">
    <h2 id="plots">Last hour</h2>
    <${Strip} counts=${overview.perMinute.accepted} name="accepted" noun="notification" />
    <${Strip} counts=${overview.perMinute.failed} name="failed attempts" noun="failed attempt" tone="bad" />
  </section>`;
}

function Strip({ counts, name, noun, tone = '' }: { counts: number[]; name: string; noun: string; tone?: string }) {
  const most = Math.max(...counts);
  const sum = counts.reduce((a, b) => a + b, 0);
  const words = `${plural(sum, noun)} in the last hour${most > 0 ? `, at most ${most} a minute` : ''}`;
  return html`<figure class="strip ${tone}">
    <figcaption><span>${name}<span class="sr"> per minute: ${words}</span></span><span class="facts" aria-hidden="true">${sum.toLocaleString('en')}${most > 0 ? ` · peak ${most}/min` : ''}</span></figcaption>
    <svg viewBox="0 0 240 34" preserveAspectRatio="none" aria-hidden="true">
      ${counts.map((count, at) => {
        const height = count === 0 ? 1 : Math.max(3, Math.round((count / most) * 32));
        return html`<rect key=${at} class=${count === 0 ? 'none' : ''} x=${at * 4} y=${34 - height} width="3" height=${height}><title>${59 - at} min ago: ${count}</title></rect>`;
      })}
    </svg>
  </figure>`;
}
