import type { Random } from './random.js';

/** The unit in which a file's bytes reach the disk: small, so that the short records of tests tear in many places. */
const BLOCK_BYTES = 32;

/** A file: what programs see, and what the disk would have after a power cut. */
export class FileNode {
  readonly kind = 'file';
  #seen: Buffer = Buffer.alloc(0);
  #size = 0;
  #stored: Buffer = Buffer.alloc(0);
  #storedSize = 0;
  #dirty = new Set<number>();
  #sizeDirty = false;

  get size(): number {
    return this.#size;
  }

  /** A copy of what programs see. */
  get bytes(): Buffer {
    return Buffer.from(this.#seen.subarray(0, this.#size));
  }

  read(target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.length, this.#size - position));
    target.set(this.#seen.subarray(position, position + length));
    return length;
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.#seen.length) this.#seen = grown(this.#seen, end);
    this.#seen.set(bytes, position);
    this.#touch(Math.min(position, this.#size), end);
    if (end > this.#size) this.#resize(end);
  }

  truncate(size: number): void {
    if (size > this.#seen.length) this.#seen = grown(this.#seen, size);
    this.#seen.fill(0, Math.min(size, this.#size));
    this.#touch(Math.min(size, this.#size), Math.max(size, this.#size));
    this.#resize(size);
  }

  sync(): void {
    if (this.#size > this.#stored.length) this.#stored = grown(this.#stored, this.#size);
    for (const block of this.#dirty) this.#storeBlock(block, this.#size);
    this.#stored.fill(0, this.#size);
    this.#storedSize = this.#size;
    this.#clean();
  }

  /** An fsync that fails: nothing is written, and the kernel believes that all of it was. */
  syncInVain(): void {
    this.#clean();
  }

  /** Only what is stored stays, and of what is not, any part. */
  powerCut(random: Random): void {
    const size = this.#sizeAfterCut(random);
    if (size > this.#stored.length) this.#stored = grown(this.#stored, size);
    const most = random.next();
    for (const block of this.#dirty) if (random.next() < most) this.#storeBlock(block, size);
    this.#stored.fill(0, size);
    this.#storedSize = size;
    this.#seen = Buffer.from(this.#stored);
    this.#size = size;
    this.#clean();
  }

  #sizeAfterCut(random: Random): number {
    if (!this.#sizeDirty || random.oneIn(3)) return this.#storedSize;
    if (random.oneIn(2)) return this.#size;
    const between = random.below(Math.abs(this.#size - this.#storedSize) + 1);
    return Math.min(this.#size, this.#storedSize) + between;
  }

  #storeBlock(block: number, size: number): void {
    const from = block * BLOCK_BYTES;
    const to = Math.min(from + BLOCK_BYTES, size, this.#size);
    if (to > from) this.#stored.set(this.#seen.subarray(from, to), from);
  }

  #touch(from: number, to: number): void {
    for (let block = Math.floor(from / BLOCK_BYTES); block * BLOCK_BYTES < to; block++) this.#dirty.add(block);
  }

  #resize(size: number): void {
    this.#size = size;
    this.#sizeDirty = true;
  }

  #clean(): void {
    this.#dirty.clear();
    this.#sizeDirty = false;
  }
}

function grown(buffer: Buffer, least: number): Buffer {
  const larger = Buffer.alloc(Math.max(256, least, buffer.length * 2));
  larger.set(buffer);
  return larger;
}

export type Node = FileNode | DirectoryNode;

type Change =
  | { type: 'link'; name: string; node: Node }
  | { type: 'unlink'; name: string; node: Node }
  | { type: 'rename'; from: string; to: string; node: Node };

/** A directory: its names as programs see them, as the disk has them, and the changes in between. */
export class DirectoryNode {
  readonly kind = 'directory';
  readonly names = new Map<string, Node>();
  #stored = new Map<string, Node>();
  #changes: Change[] = [];

  change(change: Change): void {
    apply(this.names, change);
    this.#changes.push(change);
  }

  sync(): void {
    this.#stored = new Map(this.names);
    this.#changes = [];
  }

  /** Of the changes that were not synced any may have reached the disk, each of them whole. */
  powerCut(random: Random): void {
    const most = random.next();
    for (const change of this.#changes) if (random.next() < most) apply(this.#stored, change);
    this.#changes = [];
    this.names.clear();
    for (const [name, node] of this.#stored) {
      this.names.set(name, node);
      node.powerCut(random);
    }
  }
}

function apply(names: Map<string, Node>, change: Change): void {
  if (change.type === 'link') names.set(change.name, change.node);
  if (change.type === 'unlink' && names.get(change.name) === change.node) names.delete(change.name);
  if (change.type === 'rename') {
    if (names.get(change.from) === change.node) names.delete(change.from);
    names.set(change.to, change.node);
  }
}
