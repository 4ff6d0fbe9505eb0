/** What the README's code takes as given. */
import { readFileSync } from 'node:fs';

const fixture = new URL('../../../packages/idempotency/test/fixtures/alertmanager/firing-single.json', import.meta.url);
Object.assign(globalThis, {
  payload: JSON.parse(readFileSync(fixture, 'utf8')),
  request: { ip: '10.0.0.1' },
  notify: async () => 'told',
});
