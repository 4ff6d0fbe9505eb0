import type { Overview } from '../overview.js';
import type { AlertRow } from '../rows.js';
import { ask } from './api.js';
import { getState, loadAlerts, loadLetters, receive, receiveRows, setState } from './state.js';

/** How often it asks when it can't listen, and when nobody looks at the tab. */
const POLL_MS = 5_000;
const HIDDEN_POLL_MS = 30_000;
/** The server says something every 15 s; without a word for longer the connection is dead. */
const SILENCE_MS = 35_000;

let source: EventSource | undefined;
let poll: ReturnType<typeof setTimeout> | undefined;
let lastId = '';
let deadTold = -1;
/** When it last began to listen. */
let listenedAt = 0;

/** Loads everything, then keeps it up to date: by events, else by asking. */
export async function start(): Promise<void> {
  await loadAll();
  listen();
  document.addEventListener('visibilitychange', () => {
    // Browsers open six connections to a host: tabs that nobody looks at give theirs back.
    if (document.hidden) {
      close();
      schedulePoll(HIDDEN_POLL_MS);
    } else listen();
  });
  setInterval(() => {
    const { link, heardAt } = getState();
    const now = Date.now();
    setState({ now });
    const silent = source !== undefined && now - Math.max(heardAt, listenedAt) > SILENCE_MS;
    if (!silent) return;
    // A connection that is open and says nothing is dead, and the browser may not find out for minutes.
    if (link === 'live') lost();
    listen();
  }, 1_000);
}

async function loadAll(): Promise<void> {
  try {
    const overview = await ask<Overview & { position: string }>('/api/overview');
    lastId = overview.position;
    deadTold = overview.law.dead;
    receive({ overview });
    await Promise.all([loadAlerts(), loadLetters()]);
    const { loadError: _, ...rest } = getState();
    setState({ ...rest, heardAt: Date.now() });
  } catch (error) {
    setState({ loadError: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

function listen(): void {
  close();
  listenedAt = Date.now();
  const path = lastId ? `/api/events?lastEventId=${encodeURIComponent(lastId)}` : '/api/events';
  const mine = new EventSource(path);
  source = mine;
  const heard = (event: Event): void => {
    if (event instanceof MessageEvent && event.lastEventId) lastId = event.lastEventId;
    setState({ link: 'live', heardAt: Date.now() });
  };
  mine.addEventListener('open', (event) => {
    clearTimeout(poll);
    heard(event);
  });
  mine.addEventListener('overview', (event) => {
    heard(event);
    takeOverview(JSON.parse(event.data) as Overview);
  });
  mine.addEventListener('alerts', (event) => {
    heard(event);
    receiveRows(JSON.parse(event.data) as AlertRow[]);
  });
  mine.addEventListener('reset', (event) => {
    heard(event);
    void loadAll().catch(() => undefined);
  });
  mine.addEventListener('beat', heard);
  mine.addEventListener('error', () => {
    if (source !== mine) return;
    if (mine.readyState === EventSource.CLOSED) {
      // Refused: there is no room, or it is going away. Asking is the fallback.
      source = undefined;
      schedulePoll(0);
    } else lost();
  });
}

function takeOverview(overview: Overview): void {
  receive({ overview });
  if (overview.law.dead !== deadTold) {
    deadTold = overview.law.dead;
    void loadLetters().catch(() => undefined);
  }
}

function lost(): void {
  if (getState().link === 'lost') return;
  setState({ link: 'lost' });
}

function schedulePoll(ms: number): void {
  clearTimeout(poll);
  poll = setTimeout(() => void askAll(), ms);
}

async function askAll(): Promise<void> {
  try {
    await loadAll();
    setState({ link: 'polling' });
  } catch {
    lost();
  }
  if (source) return;
  schedulePoll(document.hidden ? HIDDEN_POLL_MS : POLL_MS);
  // Every so often it tries to listen again.
  if (!document.hidden && Math.random() < 0.2) listen();
}

function close(): void {
  clearTimeout(poll);
  source?.close();
  source = undefined;
}
