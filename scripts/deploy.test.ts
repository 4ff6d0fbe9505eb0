import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { root } from './facts/packages.mjs';
import { tool } from './facts/tools.mjs';

const deploy = join(root, 'examples/orchestrator/deploy');
const source = join(root, 'examples/orchestrator/src');
const read = (...path: string[]) => readFileSync(join(deploy, ...path), 'utf8');
const run = (program: string | undefined, args: string[], env = {}) =>
  execFileSync(program ?? '', args, { cwd: deploy, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, ...env } });
const code = readdirSync(source, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join(source, file), 'utf8'))
  .join('\n');

/** The orchestrator's own metrics that a text names, without the suffixes of histograms. */
function metricsIn(text: string): string[] {
  const found = [...text.matchAll(/\bholdfast_([a-z_]+)/g)].map(([, name]) => name ?? '');
  return [...new Set(found.map((name) => name.replace(/_(bucket|sum|count)$/, '')))];
}

describe('examples/orchestrator/deploy', () => {
  it.skipIf(!needs('amtool'))('alertmanager.yml passes amtool', () => {
    expect(run(needs('amtool'), ['check-config', 'alertmanager.yml'])).toContain('SUCCESS');
  });

  it.skipIf(!needs('promtool'))('the rules and their tests pass promtool', () => {
    expect(run(needs('promtool'), ['check', 'rules', 'prometheus-rules.yml'])).toContain('SUCCESS');
    expect(run(needs('promtool'), ['check', 'config', 'prometheus.yml'])).toContain('SUCCESS');
    expect(run(needs('promtool'), ['test', 'rules', 'prometheus-rules.test.yml'])).toContain('SUCCESS');
  });

  it('rules, dashboard and the page on operating name only metrics that the orchestrator has', () => {
    const texts = [
      read('prometheus-rules.yml'),
      read('grafana', 'holdfast.json'),
      readFileSync(join(root, 'docs/guide/operating.md'), 'utf8'),
    ];
    const named = texts.flatMap(metricsIn);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !code.includes(`'${name}'`) && !code.includes(`'holdfast_${name}'`))).toEqual([]);
  });

  it('the dashboard is one that Grafana can load', () => {
    const dashboard = JSON.parse(read('grafana', 'holdfast.json'));
    const ids = dashboard.panels.map(({ id }: { id: number }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { title, targets } of dashboard.panels)
      expect(
        targets.every(({ expr }: { expr: string }) => expr),
        title,
      ).toBe(true);
  });

  it.skipIf(!tool('docker-compose'))('compose.yaml passes docker-compose', () => {
    const token = join(deploy, 'api-token');
    const mine = !existsSync(token);
    if (mine) writeFileSync(token, 'x');
    try {
      expect(run(tool('docker-compose'), ['--file', 'compose.yaml', 'config'], { API_TOKEN: 'x' })).toContain(
        'orchestrator',
      );
    } finally {
      if (mine) rmSync(token);
    }
  });

  it('compose.yaml and the manifests give only variables that the orchestrator reads', () => {
    const given = [read('compose.yaml'), ...manifests()].join('\n');
    const names = [...given.matchAll(/(?:name: |^ {2,6})([A-Z][A-Z_]+)(?:,|:)/gm)].map(([, name]) => name ?? '');
    const own = names.filter((name) => !name.startsWith('GF_'));
    expect(own.length).toBeGreaterThan(8);
    expect([...new Set(own)].filter((name) => !code.includes(name))).toEqual([]);
  });

  it.skipIf(!tool('kubernetes-validate')).each(readdirSync(join(deploy, 'kubernetes')))(
    'kubernetes/%s passes its schemas',
    (file) => {
      run(tool('kubernetes-validate'), ['--strict', join('kubernetes', file)]);
    },
  );

  it('grace times hold the drain, the delay before it and the stops', () => {
    for (const text of manifests()) {
      const number = (pattern: RegExp) => Number(text.match(pattern)?.[1]);
      const grace = number(/terminationGracePeriodSeconds: (\d+)/) * 1000;
      const drain = number(/SHUTDOWN_TIMEOUT_MS, value: '(\d+)'/);
      const delay = number(/READINESS_DELAY_MS, value: '(\d+)'/);
      expect(grace).toBeGreaterThan(drain + delay + 10_000);
      expect(number(/WEBHOOK_TIMEOUT_MS, value: '(\d+)'/)).toBeLessThanOrEqual(drain);
    }
    const compose = read('compose.yaml');
    expect(Number(compose.match(/stop_grace_period: (\d+)s/)?.[1])).toBeGreaterThan(40);
  });

  it('with its stores in a volume there is one instance, never two at once', () => {
    expect(read('kubernetes', 'embedded.yaml')).toMatch(/replicas: 1\n {2}strategy:\n {4}type: Recreate/);
  });

  it('the Dockerfile copies what exists, and node is PID 1', () => {
    const dockerfile = read('Dockerfile');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list]) =>
      (list ?? '').split(' '),
    );
    expect(copied.length).toBeGreaterThan(5);
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(dockerfile).toMatch(/^CMD \["node", "examples\/orchestrator\/dist\/main.js"\]$/m);
    expect(dockerfile).toMatch(/^USER node$/m);
  });

  it('is described, file by file', () => {
    const listed = read('README.md');
    const files = readdirSync(deploy).filter(
      (file) => !file.startsWith('.') && !['README.md', 'api-token', 'kubernetes'].includes(file),
    );
    const covered = files.filter((file) => listed.includes(file.replace(/\.(test\.yml|dockerignore)$/, '')));
    expect(files.filter((file) => !covered.includes(file))).toEqual([]);
  });
});

function manifests(): string[] {
  return readdirSync(join(deploy, 'kubernetes')).map((file) => read('kubernetes', file));
}
