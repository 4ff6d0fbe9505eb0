import { escapeHtml } from './html.js';
import type { Overview } from './overview.js';
import { oneLine } from './plain-text.js';
import { needWords, verdict } from './words.js';

/** What the page is made of: files with the hash of their content in the name. */
export interface PageAssets {
  script: string;
  style: string;
}

/** The operator page. Without scripts it says the verdict, the law, and the newest dead letters. */
export function pageDocument(
  assets: PageAssets,
  summary: { overview: Overview; dead: { title: string; at: number; reason: string }[]; login: boolean; now: number },
): string {
  const { overview, dead, login, now } = summary;
  const { law, alerts } = overview;
  const utc = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const needs = overview.needs.map((need) => `<li>${escapeHtml(oneLine(needWords(need, utc), 500))}</li>`).join('');
  const letters = dead
    .map(
      ({ title, at, reason }) => `<li><bdi>${escapeHtml(oneLine(title))}</bdi>: ${escapeHtml(reason)}, ${utc(at)}</li>`,
    )
    .join('');
  return document(
    assets,
    'Holdfast',
    `<div id="app"${login ? ' data-login' : ''}></div>
<noscript><main class="plain">
<h1>Holdfast</h1>
<p class="quiet">Scripts are off in this browser: this is how things stood at ${utc(now)}. Updates, timelines and replay need scripts.</p>
<p><strong>${escapeHtml(verdict(overview).text)}</strong></p>
<p>accepted ${law.accepted} = delivered ${law.delivered} + coalesced ${law.coalesced} + pending ${law.pending} + dead ${law.dead}${law.evicted > 0 ? ` + evicted ${law.evicted}` : ''}</p>
${needs && `<h2>Needs you</h2><ul>${needs}</ul>`}
<p>Alerts: ${alerts.firing} firing, ${alerts.unconfirmed} unconfirmed, ${alerts.resolved} resolved.</p>
${letters && `<h2>Dead letters</h2><ul>${letters}</ul>`}
<p>As JSON: <a href="/api/alerts">alerts</a> and <a href="/api/dead-letters">dead letters</a>.</p>
</main></noscript>`,
    `<script type="module" src="${assets.script}"></script>`,
  );
}

/** The login, which works without scripts. */
export function loginDocument(assets: PageAssets, problem?: string): string {
  return document(
    assets,
    'Holdfast: log in',
    `<main class="login"><form method="post" action="/login">
<h1>Holdfast</h1>
${problem === undefined ? '' : `<p class="problem" role="alert">${escapeHtml(problem)}</p>`}
<label for="token">API token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button>
<p class="hint">The value of <code>API_TOKEN</code>. The login lasts 12 hours.</p>
</form></main>`,
    '',
  );
}

function document(assets: PageAssets, title: string, body: string, script: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23808a99'/%3E%3C/svg%3E">
<link rel="stylesheet" href="${assets.style}">
${script}
</head>
<body>
${body}
</body>
</html>
`;
}
