import { html } from './html.js';
import { useStore } from './state.js';

const pad = (n: number): string => String(n).padStart(2, '0');

/** `13:51:02`, in the zone of the viewer or in UTC. */
export function clock(at: number, utc: boolean): string {
  const date = new Date(at);
  return utc
    ? date.toISOString().slice(11, 19)
    : `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** `2026-11-24 13:51:02 UTC`. */
export function utcText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Whether the viewer's clock shows UTC anyway. */
export const isUtcHere = new Date().getTimezoneOffset() === 0;

/** The viewer's zone at that moment, such as `GMT+1`. */
export function zoneName(at: number): string {
  const parts = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' }).formatToParts(at);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

/** Clock time, with the date when it is not today's. */
function stamp(at: number, now: number, utc: boolean): string {
  const day = (time: number): string => (utc ? new Date(time).toISOString().slice(0, 10) : localDay(time));
  return day(at) === day(now) ? clock(at, utc) : `${day(at).slice(5)} ${clock(at, utc).slice(0, 5)}`;
}

function localDay(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** `now`, `12 s ago`, `4 min ago`, `3 h ago`, `2 days ago`. */
export function ago(at: number, now: number): string {
  const ms = now - at;
  return ms < 2_000 ? 'now' : `${since(ms)} ago`;
}

/** How long something goes on, in whole seconds, so that it does not flicker. */
export function since(ms: number): string {
  return span(Math.max(1, Math.floor(ms / 1_000)) * 1_000).replace('.0 ', ' ');
}

/** `120 ms`, `1.4 s`, `12 s`, `4 min`, `3 h 10 min`, `2 days`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 36_000_000) return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

/** A moment: clock time, how long ago, and UTC in its title. */
export function When({ at, relative = true }: { at: number; relative?: boolean }) {
  const { now, utc } = useStore();
  return html`<time class="when" datetime=${new Date(at).toISOString()} title=${utcText(at)}
    ><span class="clock">${stamp(at, now, utc)}</span>${relative ? html` <span class="ago">${ago(at, now)}</span>` : ''}</time>`;
}
