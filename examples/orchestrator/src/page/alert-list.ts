import { useState } from 'preact/hooks';
import type { AlertRow, Standing } from '../rows.js';
import { plural, title } from '../words.js';
import { AlertDetail } from './alert-detail.js';
import { html } from './html.js';
import { Mark } from './overview-blocks.js';
import { setState, useStore } from './state.js';
import { matches, nameOf, oneLine, whereOf } from './text.js';
import { ago, When } from './time.js';

/** Rows at first; more on demand. */
const PAGE = 100;
/** Alerts of one group, name and status are one line from so many on. */
const FOLD_FROM = 4;

const STATUS = {
  firing: { tone: 'bad', word: 'firing' },
  unconfirmed: { tone: 'unknown', word: 'unconfirmed' },
  resolved: { tone: 'ok', word: 'resolved' },
} as const;

/** The alerts of the recent past: a line each, the whole story one click away. */
export function AlertList() {
  const { shown, status, query, live } = useStore();
  const [limit, setLimit] = useState(PAGE);
  const rows = shown.alerts.filter(
    (row) => (status === undefined || row.status === status) && matches(query, fieldsOf(row), textOf(row)),
  );
  if (live.overview && shown.alerts.length === 0) return html`<${NoAlerts} />`;
  const groups = groupsOf(rows.slice(0, limit));
  return html`<div class="list">
    <div class="rows" role="list" aria-label="Alerts">
      ${groups.map((group) =>
        group.length >= FOLD_FROM
          ? html`<${Group} key=${`${keyOf(group[0]!)} group`} rows=${group} />`
          : group.map((row) => html`<${Row} key=${row.id} row=${row} />`),
      )}
    </div>
    ${rows.length === 0 ? html`<p class="empty">No alert fits this filter. <button type="button" class="link" onClick=${() => setState({ query: '', status: undefined as never })}>Show all</button></p>` : ''}
    ${rows.length > limit ? html`<button type="button" class="button more" onClick=${() => setLimit(limit + PAGE)}>${rows.length - limit} more</button>` : ''}
    ${shown.alertsTotal > shown.alerts.length ? html`<p class="quiet">The newest ${shown.alerts.length} of ${shown.alertsTotal.toLocaleString('en')}.</p>` : ''}
  </div>`;
}

function Group({ rows }: { rows: AlertRow[] }) {
  const { open } = useStore();
  const [unfolded, setUnfolded] = useState(rows.some(({ id }) => id === open));
  const [first] = rows as [AlertRow];
  const { tone, word } = STATUS[first.status];
  const places = rows.slice(0, 2).map(({ labels }) => whereOf(labels));
  return html`<div class="group" role="listitem">
    <button type="button" class="row ${first.status}" aria-expanded=${unfolded} onClick=${() => setUnfolded(!unfolded)}>
      <span class="state"><${Mark} tone=${tone} />${word}</span>
      <span class="name"><bdi>${nameOf(first.labels)}</bdi> <b class="times">×${rows.length}</b></span>
      <span class="where"><bdi>${places.join(', ')}</bdi>, +${rows.length - 2}</span>
      <${Severity} labels=${first.labels} />
      <${Fate} standing=${first.last} copies=${first.copies} />
      <span class="time"><${When} at=${Date.parse(first.lastAt)} /></span>
    </button>
    ${unfolded ? html`<div class="members" role="list" aria-label=${`The ${rows.length} alerts of this group`}>${rows.map((row) => html`<${Row} key=${row.id} row=${row} />`)}</div>` : ''}
  </div>`;
}

function Row({ row }: { row: AlertRow }) {
  const { open, now } = useStore();
  const isOpen = open === row.id;
  const { tone, word } = STATUS[row.status];
  const dead = row.last?.status === 'dead';
  const at = Date.parse(row.lastAt);
  const summary = row.annotations.summary ?? row.annotations.description;
  return html`<div role="listitem" class="item ${isOpen ? 'open' : ''}">
    <button type="button" class="row ${row.status} ${dead ? 'dead' : ''}" aria-expanded=${isOpen} onClick=${() => setState({ open: isOpen ? (undefined as never) : row.id })}>
      <span class="state"><${Mark} tone=${tone} />${word}</span>
      <span class="name"><bdi>${nameOf(row.labels)}</bdi></span>
      <span class="where"><bdi>${whereOf(row.labels)}</bdi>${summary ? html` <span class="summary" dir="auto">${oneLine(summary, 160)}</span>` : ''}</span>
      <${Severity} labels=${row.labels} />
      ${
        row.status === 'unconfirmed'
          ? html`<span class="fate">no news for ${ago(at, now).replace(' ago', '')}: it may have resolved while silenced</span>`
          : html`<${Fate} standing=${row.last} copies=${row.copies} />`
      }
      <span class="time"><${When} at=${at} /></span>
    </button>
    ${isOpen ? html`<${AlertDetail} id=${row.id} version=${`${row.lastAt}${row.last?.status}${row.last?.attempts}${row.copies}`} />` : ''}
  </div>`;
}

function Severity({ labels }: { labels: Record<string, string> }) {
  const word = labels.severity ?? '';
  const known = ['critical', 'error', 'warning', 'info'].includes(word.toLowerCase()) ? word.toLowerCase() : 'other';
  return html`<span class="severity ${word === '' ? 'none' : known}"><bdi>${oneLine(word, 24) || '—'}</bdi></span>`;
}

/** What became of the newest notification, in words. */
function Fate({ standing, copies }: { standing?: Standing | undefined; copies: number }) {
  const absorbed = copies === 0 ? '' : `, ${copies} ${copies === 1 ? 'copy' : 'copies'} absorbed`;
  if (!standing || standing.status === 'forgotten')
    return html`<span class="fate">older than the history${absorbed}</span>`;
  const failed = standing.failed.map(title).join(' and ');
  switch (standing.status) {
    case 'delivered':
      return html`<span class="fate">delivered by ${title(standing.channel ?? '')}${failed ? html` <b class="warn">(${failed} failed)</b>` : ''}${absorbed}</span>`;
    case 'dead':
      return html`<span class="fate bad"><b>reached nobody</b>${standing.attempts > 0 ? `, ${plural(standing.attempts, 'attempt')}` : ''}${absorbed}</span>`;
    case 'pending':
      return html`<span class="fate warn">on its way${failed ? `, ${failed} failed` : ''}${absorbed}</span>`;
    default:
      return html`<span class="fate">part of another message${absorbed}</span>`;
  }
}

function NoAlerts() {
  const { live } = useStore();
  const overview = live.overview!;
  const snippet = `receivers:
  - name: holdfast
    webhook_configs:
      - url: ${location.origin}/webhook/alerts
        send_resolved: true
        max_alerts: 0`;
  return html`<div class="empty">
    <p><b>No alerts since <${When} at=${overview.startedAt} />.</b> ${overview.lastWebhookAt === undefined ? 'The webhook was never called.' : html`The last webhook came <${When} at=${overview.lastWebhookAt} />.`}</p>
    <p>For Alertmanager:</p>
    <pre tabindex="0" aria-label="Alertmanager configuration">${snippet}</pre>
    <${TestAlert} />
  </div>`;
}

/** Sends an alert through everything: durable, chain, page. */
function TestAlert() {
  const [told, setTold] = useState('');
  const send = async (): Promise<void> => {
    const labels = { alertname: 'TestAlert', severity: 'info', instance: 'this page' };
    const body = JSON.stringify({
      alerts: [{ status: 'firing', labels, annotations: { summary: 'Sent from the page' } }],
    });
    const response = await fetch('/webhook/alerts', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    setTold(response.ok ? 'Accepted.' : `The server answered ${response.status}.`);
  };
  return html`<p><button type="button" class="button primary" onClick=${() => void send().catch((error: unknown) => setTold(String(error)))}>Send a test alert</button> <span role="status">${told}</span></p>`;
}

function groupsOf(rows: AlertRow[]): AlertRow[][] {
  const groups = new Map<string, AlertRow[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()].flatMap((group) => (group.length >= FOLD_FROM ? [group] : group.map((row) => [row])));
}

function keyOf(row: AlertRow): string {
  return JSON.stringify([row.receiver, row.groupKey ?? row.id, row.labels.alertname, row.status, row.last?.status]);
}

function fieldsOf(row: AlertRow): Record<string, string> {
  return { ...row.labels, status: row.status, channel: row.last?.channel ?? '', fate: row.last?.status ?? '' };
}

function textOf(row: AlertRow): string {
  return `${Object.values(row.labels).join(' ')} ${Object.values(row.annotations).join(' ')} ${row.status} ${row.id}`;
}
