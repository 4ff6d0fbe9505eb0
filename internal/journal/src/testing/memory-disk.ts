import { basename, dirname } from 'node:path';
import type { JournalFile, JournalFileSystem } from '../file-system.js';
import { DirectoryNode, FileNode, type Node } from './inode.js';
import type { Random } from './random.js';

/** A call that is about to happen. */
export interface SystemCall {
  name:
    | 'open'
    | 'read'
    | 'write'
    | 'truncate'
    | 'datasync'
    | 'sync'
    | 'stat'
    | 'close'
    | 'mkdir'
    | 'readdir'
    | 'rename'
    | 'unlink';
  /** What it is about; of a rename the new name. */
  path: string;
}

/**
 * What happens to a call instead of success. `error`: it fails with that code and does nothing; a failed `sync` or
 * `datasync` also loses what it should have stored, as on Linux. `most`: a write takes only that many bytes. `dies`: the
 * process is killed, before the call has any effect or after it had all of it (of a write, `most`); it never returns.
 * `stops`: the process is stopped at one of these two moments, and the call waits for another turn.
 */
export interface Fault {
  error?: string | undefined;
  most?: number | undefined;
  dies?: 'before' | 'after' | undefined;
  stops?: 'before' | 'after' | undefined;
}

/** How the calls of one process meet the disk. */
export interface Conditions {
  /** Decides each call's fate, just before it happens. */
  fault?: ((call: SystemCall) => Fault | undefined) | undefined;
  /** Resolves when the call may happen; never, if the process is stopped for good. Nothing to wait for: at once. */
  turn?: ((call: SystemCall) => Promise<void> | undefined) | undefined;
}

/** A disk in memory that tells what was synced from what was not. Its root is `/`. */
export interface MemoryDisk {
  /** The calls of one process. */
  fileSystem(conditions?: Conditions): JournalFileSystem;
  /** The machine loses power: of what was not synced, bytes and names, any part may be lost. No call made before returns. */
  powerCut(random: Random): void;
  /** Room left for new bytes; none is an ENOSPC, or a short write. */
  freeBytes: number;
  /** Every file by its path, as programs see it. */
  files(): Map<string, Buffer>;
  /** Replaces the bytes of a file, as a person or a bad sector would: at once, and durable. */
  overwrite(path: string, bytes: Uint8Array): void;
}

/** Makes an empty {@link MemoryDisk}. */
export function memoryDisk(): MemoryDisk {
  const root = new DirectoryNode();
  let cuts = 0;
  const disk: MemoryDisk = {
    freeBytes: Number.POSITIVE_INFINITY,
    fileSystem(conditions = {}) {
      const boot = cuts;
      return fileSystem(disk, root, conditions, () => boot === cuts);
    },
    powerCut(random) {
      cuts++;
      root.powerCut(random);
    },
    files() {
      const files = new Map<string, Buffer>();
      const walk = (path: string, directory: DirectoryNode): void => {
        for (const [name, node] of directory.names)
          if (node instanceof FileNode) files.set(`${path}/${name}`, node.bytes);
          else walk(`${path}/${name}`, node);
      };
      walk('', root);
      return files;
    },
    overwrite(path, bytes) {
      const file = fileAt(root, path);
      file.truncate(0);
      file.write(bytes, 0);
      file.sync();
    },
  };
  return disk;
}

function fileSystem(
  disk: MemoryDisk,
  root: DirectoryNode,
  conditions: Conditions,
  powered: () => boolean,
): JournalFileSystem {
  const { fault = () => undefined, turn } = conditions;
  /** Waits for the call's turn, meets its fate, and does it. */
  const call = async <T>(name: SystemCall['name'], path: string, act: (fate: Fault) => T): Promise<T> => {
    const what: SystemCall = { name, path };
    const wait = turn?.(what);
    if (wait) await wait;
    if (!powered()) return never();
    const fate = fault(what) ?? {};
    if (fate.error !== undefined) {
      if (name === 'sync' || name === 'datasync') act(fate);
      throw systemError(fate.error, name, path);
    }
    if (fate.dies === 'before') return never();
    if (fate.stops === 'before') await turn?.(what);
    const result = act(fate);
    if (fate.stops === 'after') await turn?.(what);
    return fate.dies === 'after' ? never() : result;
  };
  return {
    open: (path, flags) =>
      call('open', path, () => {
        const directory = directoryAt(root, dirname(path));
        let node = path === '/' ? root : directory.names.get(basename(path));
        if (!node && !flags.startsWith('w')) throw systemError('ENOENT', 'open', path);
        if (node && flags === 'wx') throw systemError('EEXIST', 'open', path);
        if (!node) {
          if (disk.freeBytes <= 0) throw systemError('ENOSPC', 'open', path);
          node = new FileNode();
          directory.change({ type: 'link', name: basename(path), node });
        } else if (flags === 'w' && node instanceof FileNode) node.truncate(0);
        return openFile(disk, node, path, call);
      }),
    mkdir: (path, { recursive }) =>
      call('mkdir', path, () => {
        let first: string | undefined;
        const make = (at: string): DirectoryNode => {
          const parent = dirname(at) === at ? root : recursive ? make(dirname(at)) : directoryAt(root, dirname(at));
          if (dirname(at) === at) return root;
          const there = parent.names.get(basename(at));
          if (there instanceof DirectoryNode && recursive) return there;
          if (there) throw systemError('EEXIST', 'mkdir', at);
          const made = new DirectoryNode();
          parent.change({ type: 'link', name: basename(at), node: made });
          first ??= at;
          return made;
        };
        make(path);
        return first;
      }),
    readdir: (path) => call('readdir', path, () => [...directoryAt(root, path).names.keys()].sort()),
    rename: (from, to) =>
      call('rename', to, () => {
        const directory = directoryAt(root, dirname(from));
        const node = directory.names.get(basename(from));
        if (!node) throw systemError('ENOENT', 'rename', from);
        if (dirname(from) !== dirname(to)) throw systemError('EXDEV', 'rename', to);
        directory.change({ type: 'rename', from: basename(from), to: basename(to), node });
      }),
    unlink: (path) =>
      call('unlink', path, () => {
        const directory = directoryAt(root, dirname(path));
        const node = directory.names.get(basename(path));
        if (!(node instanceof FileNode)) throw systemError(node ? 'EISDIR' : 'ENOENT', 'unlink', path);
        directory.change({ type: 'unlink', name: basename(path), node });
      }),
  };
}

type Call = <T>(name: SystemCall['name'], path: string, act: (fate: Fault) => T) => Promise<T>;

function openFile(disk: MemoryDisk, node: Node, path: string, call: Call): JournalFile {
  const file = (): FileNode => {
    if (node instanceof FileNode) return node;
    throw systemError('EISDIR', 'read', path);
  };
  const sync = (fate: Fault): void => {
    if (fate.error === undefined) node.sync();
    else if (node instanceof FileNode) node.syncInVain();
  };
  return {
    read: (buffer, offset, length, position) =>
      call('read', path, () => ({ bytesRead: file().read(buffer.subarray(offset, offset + length), position) })),
    write: (buffer, offset, length, position) =>
      call('write', path, ({ most = length }) => {
        const bytesWritten = Math.min(length, most, disk.freeBytes);
        if (bytesWritten <= 0) throw systemError('ENOSPC', 'write', path);
        file().write(buffer.subarray(offset, offset + bytesWritten), position);
        disk.freeBytes -= bytesWritten;
        return { bytesWritten };
      }),
    truncate: (length) => call('truncate', path, () => file().truncate(length)),
    datasync: () => call('datasync', path, sync),
    sync: () => call('sync', path, sync),
    stat: () => call('stat', path, () => ({ size: file().size })),
    close: () => call('close', path, () => undefined),
  };
}

function directoryAt(root: DirectoryNode, path: string): DirectoryNode {
  let at: Node = root;
  for (const name of path.split('/').filter(Boolean)) {
    const next: Node | undefined = at instanceof DirectoryNode ? at.names.get(name) : undefined;
    if (!next) throw systemError('ENOENT', 'lookup', path);
    at = next;
  }
  if (at instanceof DirectoryNode) return at;
  throw systemError('ENOTDIR', 'lookup', path);
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

function fileAt(root: DirectoryNode, path: string): FileNode {
  const node = directoryAt(root, dirname(path)).names.get(basename(path));
  if (node instanceof FileNode) return node;
  throw systemError('ENOENT', 'lookup', path);
}

function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code });
}
