import { useEffect, useState } from 'preact/hooks';
import type { NotificationRow } from '../rows.js';
import { title } from '../words.js';
import { ask, type ShownNotification } from './api.js';
import { html } from './html.js';
import { Mark } from './overview-blocks.js';
import { setState, useStore } from './state.js';
import { matches, oneLine, visible } from './text.js';
import { When } from './time.js';
import { escalationWords, Timeline } from './timeline.js';

const TONES = { pending: 'busy', delivered: 'ok', coalesced: 'ok', dead: 'bad' } as const;

/** The notifications behind the law's numbers, newest first. */
export function NotificationList() {
  const { status, query, live, frozen, open } = useStore();
  const [rows, setRows] = useState<NotificationRow[]>();
  const [total, setTotal] = useState(0);
  const [problem, setProblem] = useState<string>();
  const law = live.overview?.law;
  // Read again when a number of the law changes; a storm is read at most once in two seconds.
  const version = law ? `${law.accepted} ${law.delivered} ${law.dead} ${law.pending}` : '';
  useEffect(() => {
    if (frozen && rows) return;
    const timer = setTimeout(
      () => {
        ask<{ notifications: NotificationRow[]; total: number }>(
          `/api/notifications?limit=200${status ? `&status=${status}` : ''}`,
        ).then(
          (read) => {
            setRows(read.notifications);
            setTotal(read.total);
            setProblem(undefined);
          },
          (error: unknown) => setProblem(String(error)),
        );
      },
      rows ? 2_000 : 0,
    );
    return () => clearTimeout(timer);
  }, [status, version, frozen]);
  if (problem !== undefined) return html`<p class="problem" role="alert">${problem}</p>`;
  if (!rows) return html`<p class="quiet">Reading…</p>`;
  const fitting = rows.filter((row) =>
    matches(
      query,
      { severity: row.severity, status: row.status, channel: row.channel ?? '' },
      `${row.title} ${row.id}`,
    ),
  );
  return html`<div class="list">
    <div class="rows" role="list" aria-label="Notifications">
      ${fitting.map((row) => {
        const isOpen = open === row.id;
        return html`<div key=${row.id} role="listitem" class="item ${isOpen ? 'open' : ''}">
          <button type="button" class="row notification" aria-expanded=${isOpen} onClick=${() => setState({ open: isOpen ? (undefined as never) : row.id })}>
            <span class="state"><${Mark} tone=${TONES[row.status]} />${row.status}</span>
            <span class="name"><bdi>${oneLine(row.title, 120)}</bdi></span>
            <span class="severity ${row.severity}">${row.severity}</span>
            <span class="fate">${fateOf(row)}</span>
            <span class="time"><${When} at=${Date.parse(row.acceptedAt)} /></span>
          </button>
          ${isOpen ? html`<${Detail} id=${row.id} version=${row.status} />` : ''}
        </div>`;
      })}
    </div>
    ${fitting.length === 0 ? html`<p class="empty">${status === undefined ? 'No notification' : `No ${status} notification`} in the recent past.</p>` : ''}
    ${total > rows.length && rows.length > 0 ? html`<p class="quiet">The newest ${rows.length} of ${total.toLocaleString('en')}.</p>` : ''}
  </div>`;
}

function fateOf({ status, channel, reason, into, attempts, copies }: NotificationRow): string {
  const absorbed = copies === 0 ? '' : `, ${copies} ${copies === 1 ? 'copy' : 'copies'} absorbed`;
  if (channel !== undefined)
    return `by ${title(channel)}${attempts && attempts > 1 ? `, ${attempts} attempts` : ''}${absorbed}`;
  if (status === 'dead' && reason === undefined) return `reached nobody${absorbed}`;
  if (reason !== undefined) return `${escalationWords(reason)}${absorbed}`;
  return `${into === undefined ? '' : 'in another message'}${absorbed}`;
}

function Detail({ id, version }: { id: string; version: string }) {
  const [notification, setNotification] = useState<
    ShownNotification & { alert?: { body?: string; data?: { sender?: string } } }
  >();
  useEffect(() => {
    ask<ShownNotification>(`/api/notifications/${encodeURIComponent(id)}`).then(setNotification, () => undefined);
  }, [id, version]);
  if (!notification) return html`<div class="detail"><p class="quiet">Reading…</p></div>`;
  const { alert } = notification;
  return html`<div class="detail"><div class="columns">
    <div><h3>What happened</h3><${Timeline} notification=${{ ...notification, sender: alert?.data?.sender }} /></div>
    <div>${alert?.body ? html`<h3>The message</h3><pre dir="auto" tabindex="0" aria-label="The message">${visible(alert.body)}</pre>` : ''}
      <details class="raw"><summary>As it is kept</summary><pre tabindex="0" aria-label="The notification as JSON">${visible(JSON.stringify(notification, null, 2))}</pre></details></div>
  </div></div>`;
}
