/** What the README's code takes as given: a Slack that fails and a SendGrid that works. */
import { subscribe } from 'node:diagnostics_channel';
import { fakeProvider } from '@holdfast/testkit';

const slack = await fakeProvider('/services/T/B/x', () => ({ status: 404, body: 'no_service' }));
const mail = await fakeProvider('', () => ({ status: 202, headers: { 'x-message-id': 'm-1' }, body: '' }));
const real = globalThis.fetch;
Object.assign(globalThis, {
  url: slack.url,
  apiKey: 'SG.key',
  from: 'alerts@example.com',
  to: 'ops@example.com',
  // The README names no `baseUrl`: its mail goes to a provider on loopback all the same.
  fetch: (input: string | URL | Request, init?: RequestInit) =>
    real(String(input).replace('https://api.sendgrid.com', mail.url), init),
});
// The two servers alone must not keep the process.
subscribe('holdfast.alert-delivery', (event) => {
  if ((event as { type: string }).type === 'delivery.closed') void Promise.all([slack.close(), mail.close()]);
});
