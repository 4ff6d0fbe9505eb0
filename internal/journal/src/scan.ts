import { decodeLine, type Line, seedOf } from './frame.js';
import { MAX_LINE_BYTES } from './options.js';

/** What a scan tells, in the order of the file. */
export type Finding = { type: 'line'; line: Line } | { type: 'damage'; offset: number; bytes: number };

/** What is known once the whole file was read. */
export interface Verdict {
  /** Findings that only the end of the file could decide. */
  findings: Finding[];
  /** Where the good part ends. */
  goodBytes: number;
  /** Bytes behind it that no commit vouches for: a write that a crash interrupted. */
  tornBytes: number;
  /** The end mark, if it is the last thing in the file. */
  ending: Line | undefined;
}

type Pending = { line: Line } | { from: number; to: number };

/**
 * Reads a file's bytes, in chunks of any size, into lines, damage and a torn tail. No I/O.
 *
 * Bad bytes at X are damage as soon as a good line's commit began behind X, because a commit begins only after everything
 * before it was fdatasynced. Until then they, and the good lines behind them, are undecided: pages of one unfinished
 * commit reach the disk in any order.
 */
export class SegmentScanner {
  readonly #seed: number;
  readonly #pending: Pending[] = [];
  #pieces: Buffer[] = [];
  #piecesBytes = 0;
  #offset = 0;
  #proven = 0;
  #good = 0;
  #last: Line | undefined;

  constructor(fileName: string) {
    this.#seed = seedOf(fileName);
  }

  /** Takes the next bytes of the file. They must not be changed afterwards: lines point into them. */
  push(chunk: Buffer): Finding[] {
    const findings: Finding[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.#endLine(chunk.subarray(from, at), findings);
      from = at + 1;
    }
    if (from < chunk.length) {
      this.#piecesBytes += chunk.length - from;
      // Longer than any line may be: its bytes are not kept, and it fails as one bad line.
      if (this.#piecesBytes <= MAX_LINE_BYTES) this.#pieces.push(chunk.subarray(from));
      else this.#pieces = [];
    }
    return findings;
  }

  /** Decides what is left. `whole`: the file is known to have been finished, so nothing in it can be a torn tail. */
  finish(whole: boolean): Verdict {
    const size = this.#offset + this.#piecesBytes;
    if (this.#piecesBytes > 0) this.#bad(this.#offset, size);
    const findings: Finding[] = [];
    if (whole) this.#proven = size;
    this.#decide(findings);
    const head = this.#pending[0];
    const goodBytes = head && 'from' in head ? head.from : whole ? this.#good : size;
    const ended =
      this.#last?.kind === 'end' && this.#last.offset + this.#last.bytes === size && this.#pending.length === 0;
    return { findings, goodBytes, tornBytes: whole ? 0 : size - goodBytes, ending: ended ? this.#last : undefined };
  }

  #endLine(piece: Buffer, findings: Finding[]): void {
    const bytes = this.#piecesBytes + piece.length + 1;
    const text = this.#pieces.length > 0 ? Buffer.concat([...this.#pieces, piece]) : piece;
    const line = bytes > MAX_LINE_BYTES ? undefined : decodeLine(text, this.#offset, this.#seed);
    this.#pieces = [];
    this.#piecesBytes = 0;
    if (line) {
      this.#pending.push({ line });
      this.#proven = Math.max(this.#proven, line.start);
    } else {
      this.#bad(this.#offset, this.#offset + bytes);
      if (bytes <= MAX_LINE_BYTES) this.#proven = Math.max(this.#proven, hiddenProof(text, this.#offset, this.#seed));
    }
    this.#offset += bytes;
    this.#decide(findings);
  }

  #bad(from: number, to: number): void {
    const tail = this.#pending.at(-1);
    if (tail && 'from' in tail) tail.to = to;
    else this.#pending.push({ from, to });
  }

  #decide(findings: Finding[]): void {
    let head = this.#pending[0];
    while (head && ('line' in head || head.from < this.#proven)) {
      this.#pending.shift();
      if ('line' in head) {
        this.#last = head.line;
        this.#good = head.line.offset + head.line.bytes;
        findings.push({ type: 'line', line: head.line });
      } else {
        findings.push({ type: 'damage', offset: head.from, bytes: head.to - head.from });
      }
      head = this.#pending[0];
    }
  }
}

/** Candidates that are tried for {@link hiddenProof}, so that a record full of look-alikes costs a bounded time. */
const MOST_CANDIDATES = 16;

/**
 * Where a good line that is glued to the end of a bad one says that its commit began; 0 if there is none. One flipped line
 * feed makes one bad line of two, and the second may be all that proves the first to be damage and not a torn tail. It only
 * proves: its record is not taken, because what stands inside bad bytes may be part of somebody's record.
 */
function hiddenProof(text: Buffer, offset: number, seed: number): number {
  const candidates = text.toString('latin1').matchAll(/(?<=.)[0-9a-f]{8} [hre] [0-9a-f]/gs);
  let tried = 0;
  for (const { index } of candidates) {
    if (tried++ === MOST_CANDIDATES) break;
    const line = decodeLine(text.subarray(index), offset + index, seed);
    if (line && line.start <= line.offset) return line.start;
  }
  return 0;
}
