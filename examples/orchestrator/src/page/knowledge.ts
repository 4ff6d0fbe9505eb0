import { useEffect, useState } from 'preact/hooks';
import { title } from '../words.js';
import { ask, type ShownEntry, type StoredEntry } from './api.js';
import { html } from './html.js';
import { setState, useStore } from './state.js';
import { oneLine, visible } from './text.js';
import { span, When } from './time.js';

/** The newest incidents of an entry that are listed. */
const EPISODES = 12;

/** Search in the knowledge base, and each entry with its history. */
export function Knowledge() {
  const { query, live, open } = useStore();
  const [found, setFound] = useState<{ results: { id: string; entry: ShownEntry; rev: number }[]; total: number }>();
  const [problem, setProblem] = useState<string>();
  const entries = live.overview?.entries;
  useEffect(() => {
    const timer = setTimeout(
      () => {
        ask<typeof found>('/api/knowledge/query', { ...(query && { query }), limit: 50 }).then(
          (read) => {
            setFound(read);
            setProblem(undefined);
          },
          (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
        );
      },
      found ? 200 : 0,
    );
    return () => clearTimeout(timer);
  }, [query, entries]);
  if (problem !== undefined) return html`<p class="problem" role="alert">${problem}</p>`;
  if (!found) return html`<p class="quiet">Reading…</p>`;
  return html`<div class="list">
    <div class="rows" role="list" aria-label="Entries of the knowledge base">
      ${found.results.map(({ id, entry }) => {
        const isOpen = open === id;
        return html`<div key=${id} role="listitem" class="item ${isOpen ? 'open' : ''}">
          <button type="button" class="row entry" aria-expanded=${isOpen} onClick=${() => setState({ open: isOpen ? (undefined as never) : id })}>
            <span class="state"><span class="tag">${oneLine(entry.category ?? 'entry', 24)}</span></span>
            <span class="name"><bdi>${oneLine(entry.title, 120)}</bdi></span>
            <span class="where"><bdi>${oneLine(entry.body?.split('\n')[0] ?? '', 160)}</bdi></span>
            <span class="severity none">${entry.seen ? `×${entry.seen}` : ''}</span>
            <span class="fate">${(entry.tags ?? []).slice(0, 4).map((tag) => html`<span class="tag" key=${tag}><bdi>${oneLine(tag, 24)}</bdi></span>`)}</span>
            <span class="time">${entry.lastSeen ? html`<${When} at=${Date.parse(entry.lastSeen)} />` : ''}</span>
          </button>
          ${isOpen ? html`<${Entry} id=${id} />` : ''}
        </div>`;
      })}
    </div>
    ${found.total === 0 ? html`<p class="empty">${query ? 'Nothing in the knowledge base fits.' : 'The knowledge base is empty: consolidation fills it from what happens, and people with what helped.'}</p>` : ''}
    ${found.total > found.results.length ? html`<p class="quiet">The best ${found.results.length} of ${found.total.toLocaleString('en')}.</p>` : ''}
    <${Consolidate} />
  </div>`;
}

function Entry({ id }: { id: string }) {
  const [stored, setStored] = useState<StoredEntry>();
  useEffect(() => {
    ask<StoredEntry>(`/api/knowledge/entries/${encodeURIComponent(id)}`).then(setStored, () => undefined);
  }, [id]);
  if (!stored) return html`<div class="detail"><p class="quiet">Reading…</p></div>`;
  const { entry, rev, updatedAt } = stored;
  const episodes = [...(entry.episodes ?? [])].reverse().slice(0, EPISODES);
  return html`<div class="detail"><div class="columns">
    <div>
      <h3>Entry</h3>
      <div class="prose" dir="auto">${visible(entry.body ?? '')}</div>
      ${entry.fix ? html`<p class="fix"><b>Fix:</b> <bdi>${oneLine(entry.fix, 500)}</bdi></p>` : ''}
      <p class="quiet"><code>${oneLine(id)}</code> · revision ${rev}, <${When} at=${Date.parse(updatedAt)} /></p>
      <p class="quiet">${(entry.tags ?? []).map((tag) => html`<span class="tag" key=${tag}><bdi>${oneLine(tag, 40)}</bdi></span>`)}</p>
    </div>
    <div>
      ${
        episodes.length > 0
          ? html`<h3>History</h3><ol class="timeline">${episodes.map(
              ({
                key,
                startsAt,
                endsAt,
              }) => html`<li key=${key} class=${endsAt ? 'ok' : 'bad'}><span class="mark ${endsAt ? 'ok' : 'bad'}" aria-hidden="true">${endsAt ? '✓' : '▲'}</span>
                <${When} at=${Date.parse(startsAt)} /> <span class="what">${endsAt ? `lasted ${span(Math.max(0, Date.parse(endsAt) - Date.parse(startsAt)))}` : 'not resolved so far'}</span></li>`,
            )}</ol>
            <p class="quiet">${entry.episodes!.length > EPISODES ? `${entry.episodes!.length - EPISODES} older. ` : ''}${Object.entries(
              entry.channels ?? {},
            )
              .map(([name, count]) => `${title(name)} told ${count}`)
              .join(', ')}</p>`
          : ''
      }
    </div>
  </div></div>`;
}

function Consolidate() {
  const [told, setTold] = useState('');
  const run = async (): Promise<void> => {
    setTold('working…');
    const report = await ask<{ notifications: number; entries: string[]; memoryChanged: boolean }>(
      '/api/memory/consolidate',
      {},
    );
    setTold(`${report.entries.length} entries written, MEMORY.md ${report.memoryChanged ? 'changed' : 'as it was'}.`);
  };
  return html`<p class="buttons"><button type="button" class="button" onClick=${() => void run().catch((error: unknown) => setTold(String(error)))}>Consolidate now</button>
    <a class="button" href="/api/knowledge/export?format=markdown">Export Markdown</a> <span role="status" class="quiet">${told}</span></p>`;
}
