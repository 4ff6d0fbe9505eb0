import { useEffect, useState } from 'preact/hooks';
import type { Overview } from '../overview.js';
import type { AlertRow } from '../rows.js';
import { ask, type DeadLetter } from './api.js';

/** What the server says. */
export interface Data {
  overview?: Overview;
  alerts: AlertRow[];
  alertsTotal: number;
  letters: DeadLetter[];
  lettersTotal: number;
}

export type View = 'alerts' | 'notifications' | 'knowledge';

/** Everything that the page is made of. */
export interface State {
  /** What is shown; while frozen it stays behind `live`. */
  shown: Data;
  live: Data;
  /** Changes that came since it was frozen. */
  behind: number;
  frozen: boolean;
  /** Something is chosen or a dialog is open: lists keep still. */
  held: boolean;
  link: 'connecting' | 'live' | 'polling' | 'lost';
  /** When the server was last heard. */
  heardAt: number;
  loadError?: string;
  now: number;
  utc: boolean;
  view: View;
  status?: string;
  query: string;
  open?: string;
  chosen: ReadonlySet<string>;
  dialog?: 'replay' | 'help';
  /** What the replay dialog is about: chosen ids, or all that a filter means. */
  replay?: { ids: string[] } | { filter: Record<string, string> };
  said: string;
}

const EMPTY: Data = { alerts: [], alertsTotal: 0, letters: [], lettersTotal: 0 };
const asked = new URLSearchParams(location.search);
const view = asked.get('view');

let state: State = {
  shown: EMPTY,
  live: EMPTY,
  behind: 0,
  frozen: false,
  held: false,
  link: 'connecting',
  heardAt: Date.now(),
  now: Date.now(),
  utc: readPreference('utc') === 'true',
  view: view === 'notifications' || view === 'knowledge' ? view : 'alerts',
  ...(asked.get('status') && { status: asked.get('status')! }),
  query: asked.get('q') ?? '',
  ...(asked.get('open') && { open: asked.get('open')! }),
  chosen: new Set(),
  said: '',
};
const listeners = new Set<() => void>();

export function getState(): State {
  return state;
}

export function setState(change: Partial<State>): void {
  state = { ...state, ...change };
  const held = state.chosen.size > 0 || state.dialog === 'replay';
  if (held !== state.held) state = { ...state, held };
  if (!state.frozen) {
    const lists = state.held && state.shown.overview ? state.shown : state.live;
    const overview = state.live.overview;
    state = { ...state, behind: state.held ? state.behind : 0, shown: { ...lists, ...(overview && { overview }) } };
  }
  rememberInAddress();
  for (const listener of [...listeners]) listener();
}

/** New data from the server. */
export function receive(change: Partial<Data>): void {
  const lists = change.alerts !== undefined || change.letters !== undefined;
  const behind = (state.frozen || (state.held && lists)) && state.shown.overview ? state.behind + 1 : state.behind;
  setState({ live: { ...state.live, ...change }, behind });
}

/** Puts rows that changed in place of the old ones; the newest news comes first. */
export function receiveRows(rows: AlertRow[]): void {
  const byId = new Map(state.live.alerts.map((row) => [row.id, row]));
  let added = 0;
  for (const row of rows) {
    if (!byId.has(row.id)) added++;
    byId.set(row.id, row);
  }
  const alerts = [...byId.values()].sort((a, b) => (a.lastAt < b.lastAt ? 1 : -1)).slice(0, 500);
  receive({ alerts, alertsTotal: Math.max(state.live.alertsTotal + added, alerts.length) });
}

/** The whole state, kept up to date. */
export function useStore(): State {
  const [, again] = useState(0);
  useEffect(() => {
    const listener = (): void => again((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return state;
}

/** Says something to a screen reader. */
export function say(said: string): void {
  setState({ said });
}

export async function loadLetters(): Promise<void> {
  const { deadLetters, total } = await ask<{ deadLetters: DeadLetter[]; total: number }>('/api/dead-letters?limit=200');
  receive({ letters: deadLetters.sort((a, b) => b.diedAt - a.diedAt), lettersTotal: total });
}

export async function loadAlerts(): Promise<void> {
  const { alerts, total } = await ask<{ alerts: AlertRow[]; total: number }>('/api/alerts?limit=500&timelines=false');
  receive({ alerts, alertsTotal: total });
}

function readPreference(name: string): string | null {
  try {
    return localStorage.getItem(`holdfast.${name}`);
  } catch {
    return null;
  }
}

export function writePreference(name: string, value: string): void {
  try {
    localStorage.setItem(`holdfast.${name}`, value);
  } catch {
    // A browser that keeps nothing shows the page all the same.
  }
}

/** What is looked at can be sent to somebody as a link. */
function rememberInAddress(): void {
  const parts = new URLSearchParams();
  if (state.view !== 'alerts') parts.set('view', state.view);
  if (state.status) parts.set('status', state.status);
  if (state.query) parts.set('q', state.query);
  if (state.open) parts.set('open', state.open);
  const text = parts.size > 0 ? `?${parts}` : location.pathname;
  if (text !== (location.search || location.pathname)) history.replaceState(null, '', text);
}
