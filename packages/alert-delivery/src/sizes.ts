import type { StoredAlert } from './alert.js';
import type { LifeEvent } from './life.js';

const sizes = new WeakMap<StoredAlert, number>();

/** About the size of the alert as JSON: what is escaped is not counted. The same for the same alert. */
export function bytesOf(alert: StoredAlert): number {
  const { id, title, dedupKey, body, data, digest } = alert;
  const texts = 70 + id.length + title.length + (dedupKey?.length ?? 0) + (body?.length ?? 0);
  if (data === undefined && digest === undefined) return texts;
  let bytes = sizes.get(alert);
  if (bytes === undefined) {
    bytes = JSON.stringify(alert).length;
    sizes.set(alert, bytes);
  }
  return bytes;
}

/** Tells the size of an alert whose JSON is at hand. */
export function noteBytes(alert: StoredAlert, bytes: number): void {
  sizes.set(alert, bytes);
}

/** What an event takes as JSON, without making it: names and numbers are under 120 bytes, the texts are counted. */
export function eventBytes(event: LifeEvent): number {
  let bytes = 120;
  for (const key in event) {
    const value: unknown = event[key as keyof LifeEvent];
    if (typeof value === 'string') bytes += value.length;
    else if (Array.isArray(value)) bytes += value.reduce((sum: number, each) => sum + String(each).length + 3, 0);
  }
  return bytes;
}
