// Every link of the built site to a place on a page finds that place; vitepress itself checks pages only.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { root } from '../facts/packages.mjs';

const dist = join(root, 'docs/.vitepress/dist');

/** `[{ page, link }]` of the links that lead nowhere. */
export function brokenAnchors(base = process.env.DOCS_BASE ?? '/') {
  const pages = new Map();
  for (const file of readdirSync(dist, { recursive: true }).map((path) => path.split('\\').join('/'))) {
    if (!file.endsWith('.html')) continue;
    const html = readFileSync(join(dist, file), 'utf8');
    const ids = new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id));
    const links = [...html.matchAll(/<a [^>]*href="([^"]*#[^"]+)"/g)].map(([, href]) => href.replaceAll('&amp;', '&'));
    pages.set(file, { ids, links });
  }
  const broken = [];
  for (const [page, { links }] of pages) {
    for (const link of links) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path, anchor] = link.split('#');
      const target = path === '' ? page : fileOf(path, page, base);
      const found = pages.get(target);
      if (!found?.ids.has(decodeURIComponent(anchor))) broken.push({ page, link });
    }
  }
  return broken;
}

function fileOf(path, page, base) {
  const absolute = path.startsWith('/') ? path.slice(base.length) : posix.join(posix.dirname(page), path);
  if (absolute === '' || absolute.endsWith('/')) return `${absolute}index.html`;
  return absolute.endsWith('.html') ? absolute : `${absolute}.html`;
}
