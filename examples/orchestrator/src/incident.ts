import { createHash } from 'node:crypto';
import type { Entry } from '@holdfast/persistent-kb';
import { nameOf } from './notification.js';
import type { Payload, WebhookAlert } from './payload.js';
import { oneLine } from './plain-text.js';

/** What is known of all incidents of one alert name. Times are ISO 8601. */
export interface Incident extends Entry {
  category: 'incident';
  /** The alert's name as it came. */
  alertname: string;
  /** Distinct incidents: one alert from one start. */
  seen: number;
  notifications: number;
  resolved: number;
  /** Notifications that no channel took. */
  dead: number;
  /** Notifications that each channel took. */
  channels: Record<string, number>;
  firstSeen: string;
  lastSeen: string;
  /** Of the incidents that resolved, milliseconds. */
  longestMs: number;
  totalMs: number;
  /** Of the newest incidents: how many began again soon after the same alert had resolved. */
  flaps: number;
  /** The newest incidents, oldest first, so that none is counted twice. */
  episodes: Episode[];
  /** The newest notifications that are counted, and how each ended; older than `floor` is counted and forgotten. */
  counted: Counted[];
  /** Epoch milliseconds. */
  floor: number;
  /** What a person wrote down as the remedy; kept by every consolidation. */
  fix?: string;
}

/** One alert from one start. */
export interface Episode {
  key: string;
  startsAt: string;
  endsAt?: string;
}

/** A notification that was counted. */
export interface Counted {
  id: string;
  at: number;
  fate: Fate;
}

/** How a notification ended: the channel that took it, or that none did. */
export type Fate = { channel: string } | { dead: true } | { pending: true };

/** A notification that happened. */
export interface Happening {
  id: string;
  acceptedAt: number;
  payload: Payload;
  fate: Fate;
}

/** Bounds of an entry, about 150 kB: a storm of a thousand alerts of one name, and a day of one notification each 7 minutes. */
const MAX_EPISODES = 1_000;
const MAX_COUNTED = 200;

/** The id of the entry that holds what is known of an alert name. */
export function incidentId(alertname: string): string {
  const id = `incident:${alertname}`;
  return Buffer.byteLength(id) <= 200 ? id : `incident:${createHash('sha256').update(alertname).digest('hex')}`;
}

/** The alert names in `happenings`, each with those that concern it, oldest first; each with the alerts of that name alone. */
export function byName(happenings: readonly Happening[]): Map<string, Happening[]> {
  const names = new Map<string, Happening[]>();
  for (const happening of [...happenings].sort((a, b) => a.acceptedAt - b.acceptedAt)) {
    const own = new Map<string, WebhookAlert[]>();
    for (const alert of happening.payload.alerts) {
      const name = nameOf(alert.labels);
      own.set(name, own.get(name) ?? []);
      own.get(name)!.push(alert);
    }
    for (const [name, alerts] of own) {
      const list = names.get(name) ?? [];
      list.push({ ...happening, payload: { ...happening.payload, alerts } });
      names.set(name, list);
    }
  }
  return names;
}

/**
 * Adds what happened to what was known. Counting the same happening again changes nothing, so that two instances, a retry
 * after a conflict and a run after a crash all come to the same numbers.
 *
 * @returns `before` itself when there is nothing new.
 */
export function learn(before: Entry | undefined, alertname: string, happenings: readonly Happening[]): Incident {
  const known = before !== undefined && isIncident(before);
  const next: Incident = known ? structuredClone(before) : { ...before, ...blank(alertname) };
  // Looked up for each alert, of which one post may bring a hundred thousand.
  const counted = new Map(next.counted.map((each) => [each.id, each]));
  const episodes = new Map(next.episodes.map((each) => [each.key, each]));
  let changed = false;
  for (const happening of happenings) {
    if (happening.acceptedAt <= next.floor) continue;
    changed = countFate(next, counted, happening) || changed;
    changed = countEpisodes(next, episodes, happening) || changed;
  }
  if (known && !changed) return before;
  for (const { at } of next.counted.splice(0, next.counted.length - MAX_COUNTED)) next.floor = Math.max(next.floor, at);
  trimEpisodes(next);
  next.flaps = flapsOf(next.episodes);
  next.body = bodyOf(next);
  return next;
}

/** Whether an entry has what counting needs; a person may have written over it. */
export function isIncident(entry: Entry | undefined): entry is Incident {
  const given = entry as Partial<Incident> | undefined;
  return (
    given?.category === 'incident' &&
    typeof given.alertname === 'string' &&
    Array.isArray(given.episodes) &&
    Array.isArray(given.counted) &&
    typeof given.channels === 'object' &&
    typeof given.floor === 'number'
  );
}

/** An alert that fires again this soon after it resolved has not been fixed. */
const FLAP_MS = 15 * 60_000;

/** How often the same alert began again within 15 min of its end. */
export function flapsOf(episodes: readonly Episode[]): number {
  const ends = new Map<string, number>();
  let flaps = 0;
  for (const { key, startsAt, endsAt } of [...episodes].sort((a, b) => (a.startsAt < b.startsAt ? -1 : 1))) {
    const fingerprint = key.slice(0, key.lastIndexOf('@'));
    const ended = ends.get(fingerprint);
    if (ended !== undefined && Date.parse(startsAt) - ended < FLAP_MS) flaps++;
    if (endsAt !== undefined) ends.set(fingerprint, Date.parse(endsAt));
  }
  return flaps;
}

/** The three hours of the day (UTC) in which at least three of five incidents began; undefined for few, or spread ones. */
export function busyHours(episodes: readonly Episode[]): [from: number, to: number] | undefined {
  // A storm is one occasion, however many alerts it had.
  const occasions = [...new Set(episodes.map(({ startsAt }) => startsAt.slice(0, 13)))];
  if (occasions.length < 5) return undefined;
  const hours = Array.from({ length: 24 }, () => 0);
  for (const occasion of occasions) hours[Number(occasion.slice(11))]!++;
  const within = (from: number): number => hours[from]! + hours[(from + 1) % 24]! + hours[(from + 2) % 24]!;
  const best = hours.reduce((most, _, from) => (within(from) > within(most) ? from : most), 0);
  return within(best) >= occasions.length * 0.6 ? [best, (best + 3) % 24] : undefined;
}

/** Lets go of resolved incidents first: an open one comes again with each repeat. */
function trimEpisodes(incident: Incident): void {
  let excess = incident.episodes.length - MAX_EPISODES;
  if (excess <= 0) return;
  incident.episodes = incident.episodes.filter(({ endsAt }) => endsAt === undefined || excess-- <= 0);
  incident.episodes = incident.episodes.slice(-MAX_EPISODES);
}

function blank(alertname: string): Incident {
  return {
    id: incidentId(alertname),
    title: oneLine(alertname),
    tags: ['incident', alertname],
    category: 'incident',
    alertname,
    seen: 0,
    notifications: 0,
    resolved: 0,
    dead: 0,
    channels: {},
    firstSeen: '',
    lastSeen: '',
    longestMs: 0,
    totalMs: 0,
    flaps: 0,
    episodes: [],
    counted: [],
    floor: 0,
  };
}

/** A notification counts once, and moves from pending to how it ended. */
function countFate(incident: Incident, counted: Map<string, Counted>, { id, acceptedAt, fate }: Happening): boolean {
  const known = counted.get(id);
  if (known && (!('pending' in known.fate) || 'pending' in fate)) return false;
  if (known) known.fate = fate;
  else {
    const first = { id, at: acceptedAt, fate };
    incident.notifications++;
    incident.counted.push(first);
    counted.set(id, first);
  }
  if ('channel' in fate) incident.channels[fate.channel] = (incident.channels[fate.channel] ?? 0) + 1;
  if ('dead' in fate) incident.dead++;
  return true;
}

function countEpisodes(incident: Incident, episodes: Map<string, Episode>, happening: Happening): boolean {
  const { acceptedAt, payload } = happening;
  let changed = false;
  for (const alert of payload.alerts) {
    if (nameOf(alert.labels) !== incident.alertname) continue;
    const startsAt = instant(alert.startsAt) ?? new Date(acceptedAt).toISOString();
    const key = `${alert.fingerprint}@${alert.startsAt ? startsAt : ''}`;
    let episode = episodes.get(key);
    if (!episode) {
      episode = { key, startsAt };
      incident.episodes.push(episode);
      episodes.set(key, episode);
      incident.seen++;
      incident.firstSeen = incident.firstSeen && incident.firstSeen < startsAt ? incident.firstSeen : startsAt;
      incident.lastSeen = incident.lastSeen > startsAt ? incident.lastSeen : startsAt;
      changed = true;
    }
    const severity = alert.labels.severity;
    if (severity && !incident.tags?.includes(severity) && (incident.tags?.length ?? 0) < 12) {
      incident.tags = [...(incident.tags ?? []), severity];
      changed = true;
    }
    if (alert.status === 'resolved' && episode.endsAt === undefined) {
      episode.endsAt = instant(alert.endsAt) ?? new Date(acceptedAt).toISOString();
      const lasted = Math.max(0, Date.parse(episode.endsAt) - Date.parse(episode.startsAt));
      incident.resolved++;
      incident.totalMs += lasted;
      incident.longestMs = Math.max(incident.longestMs, lasted);
      changed = true;
    }
  }
  return changed;
}

function instant(text: string | undefined): string | undefined {
  return text === undefined ? undefined : new Date(text).toISOString();
}

function bodyOf(incident: Incident): string {
  const channels = Object.entries(incident.channels).map(([name, count]) => `${name} ${count}`);
  return [
    `Seen ${times(incident.seen)} between ${minute(incident.firstSeen)} and ${minute(incident.lastSeen)}; ${incident.resolved} resolved` +
      (incident.resolved > 0
        ? `, after ${duration(incident.totalMs / incident.resolved)} on average and ${duration(incident.longestMs)} at most.`
        : '.'),
    `${incident.notifications} ${incident.notifications === 1 ? 'notification' : 'notifications'}: ${[...channels, `${incident.dead} dead`].join(', ')}.`,
    ...(incident.flaps > 0 ? [`Began again within 15 min of resolving ${times(incident.flaps)}.`] : []),
    ...(incident.fix ? [`Fix: ${incident.fix}`] : []),
  ].join('\n');
}

/** `once`, `12 times`. */
export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** `2026-11-24 13:51 UTC`. */
export function minute(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}

/** `4 s`, `12 min`, `3 h`, `2 days`. */
export function duration(ms: number): string {
  if (ms < 60_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}
