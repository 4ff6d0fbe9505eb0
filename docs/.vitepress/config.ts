import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
// @ts-expect-error a plain script, shared with the tests
import { entryPoints, PACKAGES } from '../../scripts/facts/packages.mjs';

const docs = fileURLToPath(new URL('..', import.meta.url));

const guide = [
  { text: 'Why', link: '/guide/why' },
  { text: 'Quick start', link: '/guide/quick-start' },
  { text: 'Putting the five together', link: '/guide/together' },
  { text: 'Testing your service', link: '/guide/testing' },
  { text: 'Operating', link: '/guide/operating' },
  { text: 'Growing', link: '/guide/growing' },
];

const patterns = [
  { text: 'Retry or repeat?', link: '/patterns/retry-or-repeat' },
  { text: 'Exactly-once illusions', link: '/patterns/exactly-once' },
  { text: 'Shutdown order', link: '/patterns/shutdown-order' },
  { text: 'Outbox', link: '/patterns/outbox' },
  { text: 'Long edits without a lock', link: '/patterns/long-edits' },
  { text: 'Kubernetes', link: '/patterns/kubernetes' },
  { text: 'Coming from …', link: '/patterns/coming-from' },
];

const packagePages = PACKAGES.map((name: string) => ({ text: name, link: `/packages/${name}` }));

const api = PACKAGES.map((name: string) => ({
  text: name,
  collapsed: true,
  link: `/reference/api/${name}`,
  items: entryPoints(name)
    .filter(({ entry }: { entry: string }) => entry !== 'index')
    .map(({ entry }: { entry: string }) => ({ text: `/${entry}`, link: `/reference/api/${name}/${entry}` })),
}));

const reference = [
  { text: 'Errors', link: '/reference/errors' },
  { text: 'Events', link: '/reference/events' },
  { text: 'File formats', link: '/reference/file-formats' },
  { text: 'Journal format', link: '/reference/journal-format' },
];

const decisions = pages('decisions').map((page) => ({
  text: `${Number(page.slice(0, 4))} · ${page.slice(5).replaceAll('-', ' ')}`,
  link: `/decisions/${page}`,
}));

const benchmarks = pages('benchmarks').map((page) => ({ text: page, link: `/benchmarks/${page}` }));

export default defineConfig({
  title: 'Holdfast',
  description:
    'Nothing accepted is lost, nothing is done twice, nothing grows without bound, nothing fails in silence.',
  base: process.env.DOCS_BASE ?? '/',
  lang: 'en',
  srcExclude: ['snippets/**', 'simulations/**', 'generated/**', 'api/**', 'diagrams/**'],
  // Paths of files in the repository, in decision records: they are no pages.
  ignoreDeadLinks: [/^\.\/\.\.\/\.\.\/(packages|internal|scripts|examples)\//],
  head: [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `${process.env.DOCS_BASE ?? '/'}mark.svg` }],
    ['meta', { name: 'theme-color', content: '#1f6f54' }],
  ],
  markdown: {
    theme: { light: 'github-light', dark: 'github-dark-dimmed' },
    lineNumbers: false,
  },
  vite: { server: { fs: { allow: ['../..'] } }, build: { chunkSizeWarningLimit: 2000 } },
  themeConfig: {
    logo: '/mark.svg',
    search: {
      provider: 'local',
      options: {
        detailedView: true,
        // Pages that people wrote come before the hundreds of headings of the API reference.
        miniSearch: {
          searchOptions: { boostDocument: (id: string) => (id.includes('/reference/api/') ? 0.15 : 1) },
        },
      },
    },
    outline: { level: [2, 3], label: 'On this page' },
    nav: [
      { text: 'Guide', link: '/guide/why', activeMatch: '^/guide/' },
      { text: 'Packages', items: [{ text: 'All five', link: '/packages/' }, ...packagePages] },
      { text: 'Patterns', link: '/patterns/', activeMatch: '^/patterns/' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/' },
      { text: 'Decisions', link: '/decisions/', activeMatch: '^/decisions/' },
      { text: 'Benchmarks', link: '/benchmarks/', activeMatch: '^/benchmarks/' },
      { text: 'Changelog', link: '/changelog' },
    ],
    sidebar: {
      '/guide/': [
        { text: 'Guide', items: guide },
        { text: 'Packages', items: packagePages },
      ],
      '/packages/': [
        { text: 'Packages', items: [{ text: 'All five', link: '/packages/' }, ...packagePages] },
        { text: 'Patterns', items: patterns },
      ],
      '/patterns/': [{ text: 'Patterns', items: [{ text: 'Overview', link: '/patterns/' }, ...patterns] }],
      '/reference/': [
        { text: 'Reference', items: [{ text: 'Overview', link: '/reference/' }, ...reference] },
        { text: 'API', items: [{ text: 'Entry points', link: '/reference/api/' }, ...api] },
      ],
      '/decisions/': [{ text: 'Decisions', items: [{ text: 'Overview', link: '/decisions/' }, ...decisions] }],
      '/benchmarks/': [{ text: 'Benchmarks', items: [{ text: 'Overview', link: '/benchmarks/' }, ...benchmarks] }],
    },
    footer: { message: 'MIT licensed. What is promised has a test; what has no test is not promised.' },
  },
});

/** The pages of a folder without its index, in order. */
function pages(folder: string): string[] {
  const path = `${docs}${folder}`;
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.md') && file !== 'index.md')
    .map((file) => file.slice(0, -3))
    .sort();
}
