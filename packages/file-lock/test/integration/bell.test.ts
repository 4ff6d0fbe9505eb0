import { unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manualClock, systemClock } from '@holdfast/clock';
import { tempDir } from '@holdfast/testkit';
import { expect, it } from 'vitest';
import { bellOf } from '../../src/bell.js';

it('loses no wake-up that comes between two rests [P38]', async () => {
  await using dir = await tempDir();
  const ticket = join(dir.path, 't');
  writeFileSync(ticket, '');
  const bell = bellOf(ticket);
  const never = manualClock(); // only the bell can end these rests
  const resting = bell.rest(60_000, never, undefined);
  utimesSync(ticket, 1, 1);
  await resting;
  const later = bellOf(ticket);
  utimesSync(ticket, 1, 1); // nobody rests at this bell now
  await later.rest(60_000, never, undefined); // the event has come by now, to both
  later.close();
  await bell.rest(60_000, never, undefined);
  const last = bell.rest(60_000, never, undefined);
  unlinkSync(ticket); // passed over
  await last;
  bell.close();
  const abort = new AbortController();
  const aborted = bell.rest(60_000, never, abort.signal);
  abort.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  await bell.rest(1, systemClock, undefined);
});
