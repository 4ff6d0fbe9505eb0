// argv: who, file, size, once. Rewrites the file with one letter after the other until it is killed; with `once`, one time, and
// says whether that resolved.
import { writeFile } from 'node:fs/promises';
import { writeFileAtomic } from '@holdfast/file-lock';
import { writeFile as atomically } from 'atomically';
import { Writer } from 'steno';
import writeFileAtomicPeer from 'write-file-atomic';

const [, , who, file, size, once] = process.argv;
const writers = {
  'fs.writeFile': (text) => writeFile(file, text),
  'holdfast writeFileAtomic': (text) => writeFileAtomic(file, text),
  'write-file-atomic 7.0.1': (text) => writeFileAtomicPeer(file, text),
  'atomically 2.1.1': (text) => atomically(file, text),
  'steno 4.0.2': (text) => steno.write(text),
};
const steno = new Writer(file);
const write = writers[who];

if (once) {
  await write('z'.repeat(Number(size))).then(
    () => process.stdout.write('resolved\n'),
    (error) => process.stdout.write(`rejected ${error.cause?.code ?? error.code}\n`),
  );
} else {
  for (let n = 0; ; n += 1) {
    await write(String.fromCharCode(97 + (n % 26)).repeat(Number(size)));
    if (n === 0) process.stdout.write('writing\n');
  }
}
