import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dir = join(await mkdtemp(join(tmpdir(), 'holdfast-')), 'idempotency');
const charged: string[] = [];
const order = { id: 'o-42', total: 1200 };
const charge = async (total: number, { key }: { key: string }) => {
  charged.push(key);
  return { receipt: `r-${total}` };
};
const mail = async (_receipt: string) => {};

// #region run
import { createIdempotency } from '@holdfast/idempotency';
import { fileStore } from '@holdfast/idempotency/file';

const idempotency = createIdempotency({ store: fileStore({ dir }) });
await idempotency.ready();

const answer = await idempotency.run(['order', order.id], async (op) => {
  // A step that is done is not done again when the run is repeated. `op.id` is the same for every attempt: give it on.
  const { receipt } = await op.step('charge', () => charge(order.total, { key: op.id }));
  await op.step('mail', () => mail(receipt));
  return { receipt };
});
// #endregion run

// #region outcome
const again = await idempotency.execute(['order', order.id], () => assert.fail('it ran already'));
again.via; // 'replayed'; the others: 'ran', 'joined', 'bypassed'
again.ageMs; // how old the answer is
// #endregion outcome

assert.deepEqual(again.value, answer);
assert.equal(again.via, 'replayed');
assert.equal(charged.length, 1);
await idempotency.close();
