import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { verdict } from '../words.js';
import { AlertList } from './alert-list.js';
import { DeadLetters } from './dead-letters.js';
import { Dialogs } from './dialogs.js';
import { html } from './html.js';
import { Knowledge } from './knowledge.js';
import { start } from './live.js';
import { NotificationList } from './notification-list.js';
import { Chain, go, Needs, Plots, Readiness, Verdict } from './overview-blocks.js';
import { getState, setState, useStore, type View, writePreference } from './state.js';
import { ago, clock, isUtcHere, zoneName } from './time.js';

const app = document.getElementById('app')!;

function Page() {
  const { shown, live, loadError, said, link } = useStore();
  const { overview } = shown;
  useEffect(tellTab, [live.overview, link]);
  return html`<a class="skip" href="#lists">Skip to the lists</a>
    <${Header} />
    <${Connection} />
    <main>
      <h1 class="sr">Holdfast: what happens to alerts</h1>
      ${
        overview === undefined
          ? loadError === undefined
            ? html`<p class="loading">Reading…</p>`
            : html`<p class="problem" role="alert">The page can not be filled: ${loadError}. It tries again.</p>`
          : html`<${Verdict} overview=${overview} />
            <${DeadLetters} />
            <${Needs} overview=${overview} />
            <div class="board">
              <${Chain} overview=${overview} />
              <${Readiness} overview=${overview} />
              <${Plots} overview=${overview} />
            </div>
            <${Lists} />`
      }
    </main>
    <${Dialogs} />
    <div class="sr" aria-live="polite">${said}</div>`;
}

function Header() {
  const { now, utc, frozen, behind, held } = useStore();
  const freeze = (): void => setState({ frozen: !frozen });
  const other = utc ? `${clock(now, false).slice(0, 5)} ${zoneName(now)}` : `${clock(now, true).slice(0, 5)} UTC`;
  return html`<header class="top">
    <a class="brand" href="/" onClick=${(event: MouseEvent) => go(event, 'alerts')}><b>Holdfast</b></a>
    <span class="host">${location.host}</span>
    <${Link} />
    <span class="grow"></span>
    <button type="button" class="clockbutton" aria-pressed=${utc} title="Times in UTC (u)" onClick=${toggleUtc}><span class="now">${clock(now, utc)} ${utc ? 'UTC' : zoneName(now)}</span> ${isUtcHere ? '' : html`<span class="other">${other}</span>`}</button>
    <button type="button" class="button ${frozen ? 'on' : ''}" aria-pressed=${frozen} title="Freeze (f)" onClick=${freeze}>${frozen ? `Frozen${behind > 0 ? `, ${behind} behind` : ''}` : held && behind > 0 ? `Held, ${behind} behind` : 'Freeze'}</button>
    <button type="button" class="button" aria-label="Keys and words" title="Keys and words (?)" onClick=${() => setState({ dialog: 'help' })}>?</button>
    ${app.dataset.login === undefined ? '' : html`<form method="post" action="/logout"><button type="submit" class="button">Log out</button></form>`}
  </header>`;
}

function Link() {
  const { link, heardAt, now } = useStore();
  const words = { connecting: 'Connecting', live: 'Live', polling: 'Asking every 5 s', lost: 'Not connected' }[link];
  return html`<span class="link ${link}"><i aria-hidden="true"></i>${words}${link === 'live' ? '' : html` <span class="ago">${ago(heardAt, now)}</span>`}</span>`;
}

function Connection() {
  const { link, heardAt, utc, frozen, behind } = useStore();
  if (link === 'lost') {
    return html`<p class="bar bad" role="alert">Not connected since ${clock(heardAt, utc)}. What you see is from then; it tries again by itself.</p>`;
  }
  if (frozen && behind > 0) {
    return html`<p class="bar warn">Frozen: ${behind} ${behind === 1 ? 'change is' : 'changes are'} not shown. <button type="button" class="link" onClick=${() => setState({ frozen: false })}>Show</button></p>`;
  }
  return '';
}

function Lists() {
  const { view, shown, query, status, live } = useStore();
  const counts = shown.overview!.alerts;
  const show = (next: View): void => setState({ view: next, status: undefined as never, open: undefined as never });
  const tab = (name: View, label: string, count: number | undefined) =>
    html`<button type="button" class="tab" aria-pressed=${view === name} onClick=${() => show(name)}>${label}${count === undefined ? '' : html` <span class="count">${count.toLocaleString('en')}</span>`}</button>`;
  const filters: [string | undefined, string, number | undefined][] =
    view === 'alerts'
      ? [
          [undefined, 'all', undefined],
          ['firing', 'firing', counts.firing],
          ['unconfirmed', 'unconfirmed', counts.unconfirmed],
          ['resolved', 'resolved', counts.resolved],
        ]
      : view === 'notifications'
        ? [undefined, 'pending', 'delivered', 'coalesced', 'dead'].map((name) => [name, name ?? 'all', undefined])
        : [];
  return html`<section class="card lists" id="lists" aria-label="Lists" tabindex="-1">
    <header>
      <nav aria-label="Lists">${tab('alerts', 'Alerts', shown.alertsTotal)}${tab('notifications', 'Notifications', undefined)}${tab('knowledge', 'Knowledge', live.overview?.entries)}</nav>
      <div class="filters">
        ${filters.map(
          ([name, label, count]) =>
            html`<button key=${label} type="button" class="chip" aria-pressed=${status === name} onClick=${() => setState({ status: name as never })}>${label}${count === undefined ? '' : ` ${count.toLocaleString('en')}`}</button>`,
        )}
        <label class="search"><span class="sr">${view === 'knowledge' ? 'Search the knowledge base' : 'Filter'}</span>
          <input id="filter" type="search" value=${query} placeholder=${view === 'knowledge' ? 'Search  /' : 'severity:critical db-1  /'} autocomplete="off" spellcheck=${false} onInput=${(event: InputEvent) => setState({ query: (event.target as HTMLInputElement).value })} /></label>
      </div>
    </header>
    ${view === 'alerts' ? html`<${AlertList} />` : view === 'notifications' ? html`<${NotificationList} />` : html`<${Knowledge} />`}
    ${view === 'alerts' && shown.overview!.copies > 0 ? html`<p class="quiet">${shown.overview!.copies.toLocaleString('en')} ${shown.overview!.copies === 1 ? 'post was a copy' : 'posts were copies'} and absorbed since the start.</p>` : ''}
  </section>`;
}

function toggleUtc(): void {
  const utc = !getState().utc;
  writePreference('utc', String(utc));
  setState({ utc });
}

/** The tab says what needs somebody while another is looked at. */
function tellTab(): void {
  const { live, link } = getState();
  const { overview } = live;
  const needs = overview?.needs.length ?? 0;
  document.title = `${link === 'lost' ? '(!) ' : needs > 0 ? `(${needs}) ` : ''}Holdfast`;
  const tone = link === 'lost' || !overview ? 'lost' : verdict(overview).tone;
  const colour = { ok: '2f9e5b', warn: 'd98a00', bad: 'd63a3a', lost: '808a99' }[tone];
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  const shape = tone === 'bad' ? "%3Crect x='1' y='1' width='14' height='14' rx='3'" : "%3Ccircle cx='8' cy='8' r='7'";
  if (icon) {
    icon.href = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E${shape} fill='%23${colour}'/%3E%3C/svg%3E`;
  }
}

document.addEventListener('keydown', (event) => {
  const target = event.target as HTMLElement;
  const typing = /^(input|textarea|select)$/i.test(target.tagName) && (target as HTMLInputElement).type !== 'checkbox';
  if (event.key === 'Escape' && typing) target.blur();
  if (typing || event.metaKey || event.ctrlKey || event.altKey || getState().dialog !== undefined) return;
  const views: Record<string, View> = { 1: 'alerts', 2: 'notifications', 3: 'knowledge' };
  const act: Record<string, () => void> = {
    '/': () => document.getElementById('filter')?.focus(),
    f: () => setState({ frozen: !getState().frozen }),
    u: toggleUtc,
    '?': () => setState({ dialog: 'help' }),
    j: () => move(1),
    k: () => move(-1),
    r: () => {
      const { chosen } = getState();
      if (chosen.size > 0) setState({ dialog: 'replay', replay: { ids: [...chosen] } });
    },
    Escape: () => setState({ open: undefined as never }),
  };
  const run =
    act[event.key] ?? (views[event.key] && (() => setState({ view: views[event.key]!, status: undefined as never })));
  if (!run) return;
  event.preventDefault();
  run();
});

/** The focus goes to the row after or before the one that has it. */
function move(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('.rows .row')];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}

render(html`<${Page} />`, app);
const begin = (): void => void start().catch(() => setTimeout(begin, 5_000));
begin();
