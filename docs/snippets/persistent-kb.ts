import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dir = join(await mkdtemp(join(tmpdir(), 'holdfast-')), 'kb');

// #region open
import { fileStore, isKbError, openKb } from '@holdfast/persistent-kb';

const kb = await openKb({ store: fileStore({ dir }) });
await kb.put({ id: 'disk-full', title: 'Disk full on node 1', tags: ['disk'], body: 'journald had no limit' });
kb.get('disk-full')?.rev; // 1
kb.query({ text: 'journald', any: ['disk'] }).hits[0]?.id; // 'disk-full'
// #endregion open

// #region conflict
const seen = kb.get('disk-full')!;
await kb.patch('disk-full', ({ entry }) => ({ ...entry, category: 'runbook' })); // somebody else, meanwhile
try {
  await kb.put({ ...seen.entry, title: 'Disk full' }, { ifRev: seen.rev });
} catch (error) {
  if (!isKbError(error, 'KB_CONFLICT')) throw error;
  error.current?.entry.category; // 'runbook': merge with it, or say so to the person who is editing
}
// #endregion conflict

assert.equal(kb.get('disk-full')?.rev, 2);
assert.equal(kb.get('disk-full')?.entry.title, 'Disk full on node 1');

// #region changes
const watching = new AbortController();
const follow = (async () => {
  for await (const change of kb.changes({ signal: watching.signal })) return change;
})();
await kb.put({ id: 'dns', title: 'DNS answers slowly' });
// #endregion changes
assert.ok(await follow);
watching.abort();
await kb.close();
