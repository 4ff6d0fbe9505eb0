import { entries } from '../peers/entries.ts';
import { peers } from '../peers/peers.ts';

/** `child.ts write <who> <dir>` puts, 16 at once, and tells what was acknowledged; `read` tells what is there. */
const [what, who, dir = ''] = process.argv.slice(2);
const peer = peers.find((each) => each.who === who);
if (!peer) throw new Error(`nobody is called ${who}`);
const opened = await peer.open(dir);
if (what === 'read') {
  const found = await opened.all();
  process.send?.({ found: [...found.keys()] });
  process.exit(0);
}
const source = entries(1_000_000, process.pid);
const write = async (writer: number): Promise<void> => {
  for (let n = 0; ; n++) {
    const entry = source.next().value!;
    const id = `${process.pid}-${writer}-${n}`;
    await opened.put({ ...entry, id });
    process.stdout.write(`acked ${id}\n`);
    // A peer that acknowledges without any I/O would never let the line out.
    if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
};
await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
