import assert from 'node:assert/strict';

// #region memory
import { openDelivery } from '@holdfast/alert-delivery';
import { memoryStore as deliveryMemory } from '@holdfast/alert-delivery/testing';
import { createIdempotency } from '@holdfast/idempotency';
import { openKb } from '@holdfast/persistent-kb';
import { memoryStore as kbMemory } from '@holdfast/persistent-kb/testing';

const kb = await openKb({ store: kbMemory() });
const idempotency = createIdempotency(); // its default store is in memory
const sent: string[] = [];
const delivery = await openDelivery({
  store: deliveryMemory(),
  chain: [{ channel: { name: 'recorder', send: async (alert) => void sent.push(alert.title) } }],
});

// #endregion memory

// #region events
import { channel } from 'node:diagnostics_channel';

// What each package tells its onEvent is also published: a test need not pass a listener through your code.
const seen: string[] = [];
const listener = (event: unknown) => void seen.push((event as { type: string }).type);
channel('holdfast.alert-delivery').subscribe(listener);
await delivery.notify({ title: 'Disk full', severity: 'warning' });
channel('holdfast.alert-delivery').unsubscribe(listener);
// #endregion events
assert.ok(seen.includes('alert.delivered'), seen.join());
assert.deepEqual(sent, ['Disk full']);

// #region conformance
import { conformance } from '@holdfast/persistent-kb/testing';

// With any test runner: test(one.name, () => one.run(…)). A store of your own passes all of them, or it is no store.
for (const one of conformance) assert.equal(typeof one.run, 'function', one.name);
// #endregion conformance

await kb.close();
await idempotency.close();
await delivery.close();
