import { useState } from 'preact/hooks';
import { plural, title } from '../words.js';
import { type ApiError, ask, type DeadLetter } from './api.js';
import { html } from './html.js';
import { Mark } from './overview-blocks.js';
import { loadLetters, say, setState, useStore } from './state.js';
import { oneLine, visible } from './text.js';
import { span, When } from './time.js';
import { escalationWords } from './timeline.js';

/** Lines at first. */
const FIRST = 8;

/** What no channel took: chosen one by one or by a filter, and replayed. */
export function DeadLetters() {
  const { shown, live, chosen } = useStore();
  const [all, setAll] = useState(false);
  const { letters, lettersTotal } = shown;
  if (letters.length === 0 && live.lettersTotal === 0) return '';
  const lines = all ? letters : letters.slice(0, FIRST);
  const choose = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setState({ chosen: next });
  };
  const allChosen = lines.length > 0 && lines.every(({ id }) => chosen.has(id));
  return html`<section class="card letters" id="dead-letters" aria-labelledby="letters">
    <header>
      <h2 id="letters">Reached nobody <span class="count">${lettersTotal.toLocaleString('en')}</span></h2>
      <div class="tools">
        <label class="choose"><input type="checkbox" checked=${allChosen} onChange=${() => setState({ chosen: new Set(allChosen ? [] : lines.map(({ id }) => id)) })} /> ${lines.length === lettersTotal ? 'All' : 'These'} ${lines.length}</label>
        <button type="button" class="button" onClick=${() => openReplay({ filter: {} })}>Replay by filter…</button>
        <button type="button" class="button primary" disabled=${chosen.size === 0} onClick=${() => openReplay({ ids: [...chosen] })}>Replay ${chosen.size === 0 ? '' : `${chosen.size} `}chosen…</button>
      </div>
    </header>
    <ul class="letterlist">
      ${lines.map(
        (letter) => html`<li key=${letter.id}>
          <input type="checkbox" aria-label=${`Choose ${oneLine(letter.alert.title, 80)}`} checked=${chosen.has(letter.id)} onChange=${() => choose(letter.id)} />
          <span class="state bad"><${Mark} tone="bad" />dead</span>
          <details>
            <summary><b dir="auto">${oneLine(letter.alert.title, 120)}</b> <span class="facts">${storyOf(letter)}</span></summary>
            <${Letter} letter=${letter} />
          </details>
          <span class="severity ${letter.alert.severity}">${letter.alert.severity}</span>
          <${When} at=${letter.diedAt} />
          <button type="button" class="button" onClick=${() => openReplay({ ids: [letter.id] })}>Replay<span class="sr"> ${oneLine(letter.alert.title, 80)}</span></button>
        </li>`,
      )}
    </ul>
    ${letters.length > FIRST ? html`<button type="button" class="button more" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? 'Fewer' : `${letters.length - FIRST} more`}</button>` : ''}
    ${lettersTotal > letters.length ? html`<p class="quiet">${letters.length} of ${lettersTotal.toLocaleString('en')} are listed; a replay by filter takes them all.</p>` : ''}
  </section>`;
}

function openReplay(replay: { ids: string[] } | { filter: Record<string, string> }): void {
  setState({ dialog: 'replay', replay });
}

function storyOf({ reason, attempts }: DeadLetter): string {
  const channels = new Set(attempts.map(({ channel }) => channel)).size;
  if (attempts.length === 0) return escalationWords(reason);
  const last = reason === 'exhausted' ? '' : `; ${escalationWords(reason)}`;
  return `${plural(channels, 'channel')} failed, ${plural(attempts.length, 'attempt')}${last}`;
}

function Letter({ letter }: { letter: DeadLetter }) {
  return html`<div class="letter">
    ${letter.alert.body ? html`<pre dir="auto" tabindex="0" aria-label="The message">${visible(letter.alert.body)}</pre>` : ''}
    ${
      letter.attempts.length === 0
        ? ''
        : html`<ol class="timeline">
      ${letter.attempts.map(
        (
          attempt,
          at,
        ) => html`<li key=${at} class="bad"><${Mark} tone="bad" /><${When} at=${attempt.at} relative=${false} />
          <span class="what">${title(attempt.channel)} attempt ${attempt.attempt}: ${attempt.verdict} after ${span(attempt.ms)} <span class="more" dir="auto">${oneLine(attempt.error ?? '', 400)}</span></span></li>`,
      )}
    </ol>`
    }
    <p class="quiet"><code>${letter.id}</code></p>
  </div>`;
}

interface Result {
  id: string;
  status: string;
  channel?: string;
  reason?: string;
}

export interface ReplayAnswer {
  results: Result[];
  total: number;
}

/** Sends a replay. The key makes a second click, or a retry of a lost answer, the same replay. */
export async function sendReplay(body: object, key: string): Promise<ReplayAnswer> {
  const answer = await ask<ReplayAnswer>('/api/dead-letters/replay', body, { headers: { 'idempotency-key': key } });
  const sent = answer.results.filter(({ status }) => status === 'delivered').length;
  say(`${sent} of ${answer.total} delivered`);
  await loadLetters().catch(() => undefined);
  return answer;
}

/** How many a filter means now. */
export async function previewOf(filter: Record<string, string>): Promise<{ total: number; letters: DeadLetter[] }> {
  const query = new URLSearchParams({ ...filter, limit: '5' });
  const { total, deadLetters } = await ask<{ total: number; deadLetters: DeadLetter[] }>(`/api/dead-letters?${query}`);
  return { total, letters: deadLetters };
}

export function reasonOfError(error: unknown): string {
  return (error as ApiError).message ?? String(error);
}
