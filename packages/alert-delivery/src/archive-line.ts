import { crc32 } from 'node:zlib';
import type { ArchiveFileSystem } from './archive-files.js';
import type { Body } from './bodies.js';

const NEWLINE = 10;
const CHUNK_BYTES = 64 * 1024;

/** One line of an archive file: the CRC of the JSON in eight hex digits, a space, the JSON, a line feed. */
export function lineOf(body: Body): string {
  const json = JSON.stringify(body);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/** What a line says; `undefined` for one that is torn or damaged. */
export function bodyOf(line: Buffer): Body | undefined {
  if (line.length < 11 || line[line.length - 1] !== NEWLINE) return undefined;
  const json = line.subarray(9, -1);
  if (crc32(json) !== Number.parseInt(line.toString('latin1', 0, 8), 16)) return undefined;
  return JSON.parse(json.toString()) as Body;
}

/** Tells every line of a file, good or not, with its place. Never holds more than one chunk and one line. */
export async function eachLine(
  files: ArchiveFileSystem,
  path: string,
  tell: (line: Buffer, offset: number) => void,
): Promise<void> {
  const handle = await files.open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let offset = 0;
    for (let position = 0; ; ) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      const read = chunk.subarray(0, bytesRead);
      rest = rest.length === 0 ? read : Buffer.concat([rest, read]);
      let start = 0;
      for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE, start)) {
        tell(rest.subarray(start, end + 1), offset);
        offset += end + 1 - start;
        start = end + 1;
      }
      rest = rest.subarray(start);
    }
  } finally {
    await handle.close();
  }
}
