import type { DeadLetter, LifeEvent } from '@holdfast/alert-delivery';
import type { Copy } from '../activity.js';
import type { BookedAlert } from '../alert-book.js';

/** What the API said instead of an answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Asks the API. A session that has ended leads to the login. */
export async function ask<T>(path: string, body?: unknown, init: RequestInit = {}): Promise<T> {
  const given: RequestInit =
    body === undefined
      ? init
      : {
          method: 'POST',
          ...init,
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json', ...init.headers },
        };
  const response = await fetch(path, given);
  if (response.status === 401) location.assign('/login');
  const answer = (await response.json().catch(() => ({}))) as T & { error?: { code: string; message: string } };
  if (response.ok) return answer;
  throw new ApiError(
    response.status,
    answer.error?.code ?? 'unknown',
    answer.error?.message ?? `the server answered ${response.status}`,
  );
}

/** A notification of an alert, as `/api/alerts/:id` has it. */
export interface ShownNotification {
  id: string;
  acceptedAt?: number;
  status?: 'pending' | 'delivered' | 'coalesced' | 'dead';
  title?: string;
  sender?: string;
  reason?: string;
  events?: LifeEvent[];
  copies: { count: number; newest: Copy[] };
}

export type WholeAlert = Omit<BookedAlert, 'notifications' | 'firstAt' | 'lastAt'> & {
  id: string;
  firstAt: string;
  lastAt: string;
  notifications: ShownNotification[];
};

/** An entry of the knowledge base, with the numbers of an incident where it is one. */
export interface ShownEntry {
  id: string;
  title: string;
  body?: string;
  tags?: string[];
  category?: string;
  fix?: string;
  seen?: number;
  resolved?: number;
  dead?: number;
  totalMs?: number;
  longestMs?: number;
  firstSeen?: string;
  lastSeen?: string;
  channels?: Record<string, number>;
  episodes?: { key: string; startsAt: string; endsAt?: string }[];
}

export interface StoredEntry {
  entry: ShownEntry;
  rev: number;
  updatedAt: string;
}

export type { DeadLetter };
