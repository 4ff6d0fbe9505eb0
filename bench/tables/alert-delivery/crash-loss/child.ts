import { fileStore, openDelivery } from '@holdfast/alert-delivery';
import { peers } from '../overhead/peers.ts';

/** Accepts an alert every millisecond or so, sends each in 20 ms, and tells both, until it is killed; `finish` only delivers what is left. */
const [who = '', dir = '', prefix = '', mode = ''] = process.argv.slice(2);
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const send = async (id: string): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  tell(`sent ${id}`);
};
let accept: (id: string) => Promise<unknown>;
if (who === 'holdfast') {
  const channel = { name: 'a', send: (alert: { id: string }) => send(alert.id) };
  const delivery = await openDelivery({ chain: [{ channel }], store: fileStore({ dir }) });
  if (mode === 'finish') {
    await delivery.flush();
    await delivery.close();
    process.exit(0);
  }
  accept = (id) => delivery.accept({ id, title: id, severity: 'error' });
} else {
  if (mode === 'finish') process.exit(0);
  let id = '';
  const one = peers.find((peer) => peer.who === who)!.make(() => send(id));
  // There is nothing that acknowledges: the caller goes on once the call is made.
  accept = async (next) => {
    id = next;
    void one();
  };
}
for (let n = 0; ; n += 1) {
  const id = `${prefix}-${n}`;
  void accept(id).then(() => tell(`acked ${id}`));
  await new Promise((resolve) => setTimeout(resolve, 1));
}
