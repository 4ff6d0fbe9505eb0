/** What the README's code takes as given. */
import { mkdirSync } from 'node:fs';

mkdirSync('data', { recursive: true });
Object.assign(globalThis, {
  render: async () => '<html></html>\n',
  askForMinutes: async () => '- what came out of it\n',
});
