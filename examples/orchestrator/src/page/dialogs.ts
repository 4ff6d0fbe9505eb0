import { useEffect, useRef, useState } from 'preact/hooks';
import { plural, title } from '../words.js';
import { previewOf, type ReplayAnswer, reasonOfError, sendReplay } from './dead-letters.js';
import { html } from './html.js';
import { setState, useStore } from './state.js';
import { oneLine } from './text.js';
import { When } from './time.js';

/** The dialog that is open, if one is. */
export function Dialogs() {
  const { dialog } = useStore();
  if (dialog === 'replay') return html`<${Modal} label="Replay"><${Replay} /><//>`;
  if (dialog === 'help') return html`<${Modal} label="Keys and words"><${Help} /><//>`;
  return '';
}

/** The browser's own dialog: it keeps the focus inside and gives it back. */
function Modal({ label, children }: { label: string; children: unknown }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    ref.current?.showModal();
  }, []);
  return html`<dialog ref=${ref} aria-label=${label} onClose=${close} onClick=${(event: MouseEvent) => event.target === ref.current && close()}>
    <div class="inside">${children}</div>
  </dialog>`;
}

function close(): void {
  setState({ dialog: undefined as never, replay: undefined as never });
}

const REASONS = [
  'exhausted',
  'rejected',
  'channelDown',
  'breaker-open',
  'throttled',
  'ambiguous',
  'deadline',
  'no-route',
];

/** What will be sent, where to, how fast; then how each ended. */
function Replay() {
  const { replay, live } = useStore();
  const [filter, setFilter] = useState<Record<string, string>>(replay && 'filter' in replay ? replay.filter : {});
  const [preview, setPreview] = useState<Awaited<ReturnType<typeof previewOf>>>();
  const [rate, setRate] = useState(1);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [answer, setAnswer] = useState<ReplayAnswer>();
  const [key, setKey] = useState(newKey);
  const byFilter = replay !== undefined && 'filter' in replay;
  const ids = replay !== undefined && 'ids' in replay ? replay.ids : [];

  const look = (): void => {
    if (byFilter) previewOf(filter).then(setPreview, (error: unknown) => setProblem(reasonOfError(error)));
  };
  useEffect(look, [JSON.stringify(filter)]);

  const letters = byFilter ? (preview?.letters ?? []) : live.letters.filter(({ id }) => ids.includes(id));
  const count = byFilter ? preview?.total : ids.length;
  const oldest = letters.length === 0 ? undefined : Math.min(...letters.map(({ diedAt }) => diedAt));
  const chain = live.overview?.channels ?? [];
  const down = chain.filter(({ state }) => state === 'down').map(({ name }) => title(name));

  const send = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      const given = byFilter ? { filter, count } : { ids };
      setAnswer(await sendReplay({ ...given, perSecond: rate }, key));
      setState({ chosen: new Set() });
    } catch (error) {
      setProblem(reasonOfError(error));
      setKey(newKey());
      look();
    } finally {
      setBusy(false);
    }
  };

  if (answer) return html`<${Results} answer=${answer} />`;
  return html`<h2 tabindex="-1" autofocus>Replay ${count === undefined ? '' : plural(count, 'notification')}</h2>
    ${byFilter ? html`<${FilterFields} filter=${filter} setFilter=${setFilter} />` : ''}
    <p>To ${chain.map(({ name }) => title(name)).join(' → ') || 'the chain'}, as if ${count === 1 ? 'it was' : 'they were'} accepted now.${oldest === undefined ? '' : html` The oldest ended <${When} at=${oldest} />.`}</p>
    ${down.length > 0 ? html`<p class="problem">${down.join(' and ')} ${down.length === 1 ? 'is' : 'are'} down now.</p>` : ''}
    <ul class="preview">${letters.slice(0, 5).map(({ id, alert }) => html`<li key=${id} dir="auto">${oneLine(alert.title, 100)}</li>`)}
      ${count !== undefined && count > Math.min(5, letters.length) ? html`<li class="quiet">and ${count - Math.min(5, letters.length)} more</li>` : ''}</ul>
    <label class="rate">At most <input type="number" min="0.1" max="100" step="any" value=${rate} onInput=${(event: InputEvent) => setRate(Number((event.target as HTMLInputElement).value) || 1)} /> a second</label>
    ${problem === undefined ? '' : html`<p class="problem" role="alert">${problem}</p>`}
    <p class="buttons">
      <button type="button" class="button primary" disabled=${busy || !count} onClick=${() => void send()}>${busy ? 'Sending…' : `Replay ${count ?? ''}`}</button>
      <button type="button" class="button" onClick=${close}>Cancel</button>
    </p>`;
}

function FilterFields({
  filter,
  setFilter,
}: {
  filter: Record<string, string>;
  setFilter: (filter: Record<string, string>) => void;
}) {
  const set = (name: string, value: string): void => {
    const { [name]: _, ...rest } = filter;
    setFilter(value === '' ? rest : { ...rest, [name]: value });
  };
  const choice = (name: string, label: string, values: readonly string[]) => html`<label>${label}
    <select value=${filter[name] ?? ''} onChange=${(event: Event) => set(name, (event.target as HTMLSelectElement).value)}>
      <option value="">any</option>${values.map((value) => html`<option key=${value} value=${value}>${value}</option>`)}
    </select></label>`;
  const moment = (name: string, label: string) => html`<label>${label}
    <input type="datetime-local" onChange=${(event: Event) => {
      const { value } = event.target as HTMLInputElement;
      set(name, value === '' ? '' : new Date(value).toISOString());
    }} /></label>`;
  return html`<div class="fields">
    ${choice('severity', 'Severity', ['critical', 'error', 'warning', 'info'])}
    ${choice('reason', 'Ended because', REASONS)}
    ${moment('since', 'Ended after')} ${moment('until', 'Ended before')}
  </div>`;
}

function Results({ answer }: { answer: ReplayAnswer }) {
  const { live } = useStore();
  const words: Record<string, string> = {
    delivered: 'delivered',
    dead: 'reached nobody again',
    pending: 'still on its way: look again in the list',
    'not-found': 'not a dead letter any more',
    coalesced: 'sent as part of another message',
    journaled: 'kept for the next start',
  };
  const delivered = answer.results.filter(({ status }) => status === 'delivered').length;
  const nameOf = (id: string): string => live.letters.find((letter) => letter.id === id)?.alert.title ?? id;
  return html`<h2 role="status">${delivered} of ${answer.total} delivered</h2>
    <ul class="results">${answer.results.map(
      ({
        id,
        status,
        channel,
        reason,
      }) => html`<li key=${id} class=${status === 'delivered' ? 'ok' : status === 'dead' ? 'bad' : 'warn'}>
        <bdi>${oneLine(nameOf(id), 80)}</bdi>: <b>${words[status] ?? status}</b>${channel ? ` by ${title(channel)}` : ''}${reason ? ` (${reason})` : ''}</li>`,
    )}</ul>
    <p class="buttons"><button type="button" class="button primary" onClick=${close}>Close</button></p>`;
}

function Help() {
  const keys: [string, string][] = [
    ['/', 'filter'],
    ['j  k', 'next and previous row'],
    ['Enter', 'open or close the row'],
    ['r', 'replay what is chosen'],
    ['f', 'freeze, and go on'],
    ['u', 'times in UTC, and back'],
    ['1  2  3', 'alerts, notifications, knowledge'],
    ['?', 'this'],
    ['Esc', 'close'],
  ];
  return html`<h2>Keys and words</h2>
    <dl class="keys">${keys.map(([key, what]) => html`<dt key=${key}><kbd>${key}</kbd></dt><dd key=${`${key}.`}>${what}</dd>`)}</dl>
    <p><b>accepted</b> counts notifications: one post of Alertmanager is one notification, whatever number of alerts it carries. Each ends delivered, coalesced (sent as part of another message) or dead; until then it is pending. The numbers always add up.</p>
    <p><b>unconfirmed</b> is an alert that was firing and of which nothing was heard for longer than Alertmanager repeats itself: what resolves while it is silenced is never told.</p>
    <p>Filter: words, or <code>label:value</code>, <code>status:firing</code>, <code>channel:slack</code>, <code>fate:dead</code>.</p>
    <p class="buttons"><button type="button" class="button primary" onClick=${close}>Close</button></p>`;
}

function newKey(): string {
  // Not randomUUID, which plain http on another host does not have.
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
