import type { Failure } from '../failure.js';
import { restart } from './1-restart.js';
import { webhookTwice } from './2-webhook-twice.js';
import { sigterm } from './3-sigterm.js';
import { slowClients } from './4-slow-clients.js';
import { databaseDown } from './5-database-down.js';
import { memoryFile } from './6-memory-file.js';
import { channelsDown } from './7-channels-down.js';
import { indexBehind } from './8-index-behind.js';
import { history } from './9-history.js';

/** In the order of the post-mortem's table in DESIGN. */
export const FAILURES: readonly Failure[] = [
  restart,
  webhookTwice,
  sigterm,
  slowClients,
  databaseDown,
  memoryFile,
  channelsDown,
  indexBehind,
  history,
];

export function programOf(side: 'before' | 'after', program: string): URL {
  return new URL(`../../${side}/${program}.ts`, import.meta.url);
}
