import { useEffect, useState } from 'preact/hooks';
import { ApiError, ask, type StoredEntry, type WholeAlert } from './api.js';
import { html } from './html.js';
import { safeUrl, silenceUrl } from './links.js';
import { say } from './state.js';
import { oneLine, visible } from './text.js';
import { span, When } from './time.js';
import { Timeline } from './timeline.js';

/** One alert whole: labels, what is known of it, and each notification's timeline. `version` changes when it must be read again. */
export function AlertDetail({ id, version }: { id: string; version: string }) {
  const [alert, setAlert] = useState<WholeAlert>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    let gone = false;
    ask<WholeAlert>(`/api/alerts/${encodeURIComponent(id)}`).then(
      (read) => {
        if (gone) return;
        setAlert(read);
        setProblem(undefined);
      },
      (error: unknown) => gone || setProblem(error instanceof Error ? error.message : String(error)),
    );
    return () => {
      gone = true;
    };
  }, [id, version]);
  if (problem !== undefined) return html`<div class="detail"><p class="problem" role="alert">${problem}</p></div>`;
  if (!alert) return html`<div class="detail"><p class="quiet">Reading…</p></div>`;
  const [newest, ...older] = alert.notifications;
  return html`<div class="detail">
    <${Actions} alert=${alert} />
    <div class="columns three">
      <div>
        <h3>What happened</h3>
        ${newest ? html`<${Timeline} notification=${newest} />` : ''}
        ${older.map(
          (notification) => html`<details key=${notification.id} class="older">
            <summary>${notification.title === undefined ? 'earlier' : html`<bdi>${oneLine(notification.title, 80)}</bdi>`} ${notification.acceptedAt === undefined ? '' : html`<${When} at=${notification.acceptedAt} />`} <span class="facts">${notification.status ?? ''}</span></summary>
            <${Timeline} notification=${notification} />
          </details>`,
        )}
      </div>
      <div>
        <${Known} name=${alert.labels.alertname ?? ''} />
        ${newest ? html`<${Raw} id=${newest.id} />` : ''}
      </div>
      <div>
        <h3>Labels</h3>
        <${Pairs} pairs=${alert.labels} />
        ${Object.keys(alert.annotations).length > 0 ? html`<h3>Annotations</h3><${Pairs} pairs=${alert.annotations} />` : ''}
        <dl class="pairs">
          <dt>receiver</dt><dd><bdi>${oneLine(alert.receiver) || '—'}</bdi></dd>
          ${alert.startsAt ? html`<dt>started</dt><dd><${When} at=${Date.parse(alert.startsAt)} /></dd>` : ''}
          ${alert.endsAt ? html`<dt>ended</dt><dd><${When} at=${Date.parse(alert.endsAt)} /></dd>` : ''}
          <dt>first heard</dt><dd><${When} at=${Date.parse(alert.firstAt)} /></dd>
        </dl>
      </div>
    </div>
  </div>`;
}

function Actions({ alert }: { alert: WholeAlert }) {
  const links: [string, URL | undefined][] = [
    ['Silence', safeUrl(silenceUrl(alert.externalURL, alert.labels))],
    ['Runbook', safeUrl(alert.annotations.runbook_url ?? alert.annotations.runbook)],
    ['Source', safeUrl(alert.generatorURL)],
    ['Dashboard', safeUrl(alert.annotations.dashboard_url ?? alert.annotations.dashboard)],
  ];
  const curl = `curl -s ${location.origin}/api/alerts/${encodeURIComponent(alert.id)} -H "Authorization: Bearer $API_TOKEN"`;
  return html`<p class="actions">
    ${links.map(([name, url]) =>
      url === undefined
        ? ''
        : html`<a key=${name} class="button" href=${url.href} target="_blank" rel="noopener noreferrer" title=${url.host}>${name} ↗ <span class="host">${oneLine(url.host, 40)}</span></a>`,
    )}
    <${Copy} text=${alert.id} label="Copy id" />
    <${Copy} text=${curl} label="Copy curl" />
  </p>`;
}

function Copy({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  const copy = (): void => {
    navigator.clipboard?.writeText(text).then(
      () => {
        setDone(true);
        say('copied');
        setTimeout(() => setDone(false), 2_000);
      },
      () => prompt('Copy this', text),
    );
  };
  return html`<button type="button" class="button" onClick=${copy}>${done ? 'Copied' : label}</button>`;
}

/** Names and values from outside: text, told apart from its surroundings, whatever direction it is written in. */
function Pairs({ pairs }: { pairs: Record<string, string> }) {
  return html`<dl class="pairs">
    ${Object.entries(pairs).map(([name, value]) => {
      const url = safeUrl(value);
      return html`<dt key=${`${name}=`}><bdi>${oneLine(name, 60)}</bdi></dt><dd key=${name} dir="auto">
        ${url ? html`<a href=${url.href} target="_blank" rel="noopener noreferrer">${oneLine(value, 200)}</a>` : html`<${Long} text=${value} />`}</dd>`;
    })}
  </dl>`;
}

function Long({ text }: { text: string }) {
  const short = oneLine(text, 200);
  if (text.length <= 200) return html`${short}`;
  return html`<details><summary>${short}</summary><pre>${oneLine(text, 20_000)}</pre></details>`;
}

/** What the knowledge base says of alerts of this name, and a place to write down what helped. */
function Known({ name }: { name: string }) {
  const id = `incident:${name}`;
  const [stored, setStored] = useState<StoredEntry | null>();
  const [fix, setFix] = useState('');
  const [problem, setProblem] = useState<string>();
  const [saved, setSaved] = useState(0);
  const read = (): void => {
    ask<StoredEntry>(`/api/knowledge/entries/${encodeURIComponent(id)}`).then(setStored, () => setStored(null));
  };
  useEffect(read, [id, saved]);
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      const entry = { title: fix, category: 'fix', tags: [name] };
      await ask('/api/knowledge/entries', entry);
      setFix('');
      setProblem(undefined);
      say('saved: the next alert of this name will say so');
      setSaved(saved + 1);
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : String(error));
    }
  };
  const [fixes, setFixes] = useState<StoredEntry[]>([]);
  useEffect(() => {
    if (stored === undefined) return;
    ask<{ results: StoredEntry[] }>('/api/knowledge/query', { tags: [name], category: 'fix', limit: 3 }).then(
      ({ results }) => setFixes(results),
      () => undefined,
    );
  }, [stored === undefined, saved]);
  if (name === '') return '';
  const entry = stored?.entry;
  return html`<h3>Known of ${oneLine(name, 60)}</h3>
    ${
      entry?.seen
        ? html`<p>Seen ${entry.seen} ${entry.seen === 1 ? 'time' : 'times'}${entry.lastSeen ? html`, last <${When} at=${Date.parse(entry.lastSeen)} />` : ''}${entry.resolved ? `; ${entry.resolved} resolved, after ${span((entry.totalMs ?? 0) / entry.resolved)} on average` : ''}.</p>`
        : html`<p class="quiet">${stored === undefined ? 'Reading…' : 'Not in the knowledge base yet: consolidation adds it.'}</p>`
    }
    ${entry?.fix ? html`<p class="fix"><b>Fix:</b> <bdi>${oneLine(entry.fix, 500)}</bdi></p>` : ''}
    ${fixes.map((each) => html`<p key=${each.entry.id} class="fix"><b>Fix:</b> <bdi>${oneLine(each.entry.title, 500)}</bdi></p>`)}
    <form class="fixform" onSubmit=${save}>
      <label><span class="sr">What fixed ${oneLine(name, 60)}?</span>
        <input value=${fix} placeholder="What fixed it?" maxlength="500" required onInput=${(event: InputEvent) => setFix((event.target as HTMLInputElement).value)} /></label>
      <button type="submit" class="button">Save fix</button>
      ${problem === undefined ? '' : html`<p class="problem" role="alert">${problem}</p>`}
    </form>`;
}

/** The post as it came, escaped, only when it is asked for. */
function Raw({ id }: { id: string }) {
  const [text, setText] = useState<string>();
  const open = (event: Event): void => {
    if (!(event.target as HTMLDetailsElement).open || text !== undefined) return;
    ask<unknown>(`/api/notifications/${encodeURIComponent(id)}`).then(
      (whole) => setText(visible(JSON.stringify(whole, null, 2))),
      (error: unknown) => setText(String(error)),
    );
  };
  return html`<details class="raw" onToggle=${open}><summary>The notification as it is kept</summary>
    ${text === undefined ? html`<p class="quiet">Reading…</p>` : html`<pre tabindex="0" aria-label="The notification as JSON">${text}</pre>`}</details>`;
}
