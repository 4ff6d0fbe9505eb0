import type { Row } from './entry.js';
import type { KbStore, OpenStore, StoreContext, StoreWrite } from './store.js';

/** A store for tests: shared by everybody who opens it, gone with the process. */
export function memoryStore(): KbStore {
  const rows = new Map<string, Row>();
  const followers = new Set<StoreContext>();
  return {
    name: 'a store in memory',
    async open(context) {
      for (const row of rows.values()) context.apply(row);
      followers.add(context);
      context.health({ tail: 'local', lagMs: 0, state: 'ready' });
      return openMemory(rows, followers, context);
    },
  };
}

function openMemory(rows: Map<string, Row>, followers: Set<StoreContext>, context: StoreContext): OpenStore {
  return {
    async commit({ row, base }: StoreWrite) {
      if (rows.get(row.id)?.rev !== base) return { status: 'conflict' };
      const kept = structuredClone(row);
      rows.set(row.id, kept);
      for (const follower of followers) follower.apply(follower === context ? row : structuredClone(kept));
      return { status: 'ok' };
    },
    async read(id) {
      const row = rows.get(id);
      return row && structuredClone(row);
    },
    async compare({ repair }) {
      const found = { compared: rows.size, differing: [] as string[], missing: [] as string[], extra: [] as string[] };
      for (const row of rows.values()) {
        const known = context.row(row.id);
        if (known?.rev === row.rev) continue;
        (known ? found.differing : found.missing).push(row.id);
        if (repair) context.apply(structuredClone(row));
      }
      for (const row of context.rows()) {
        if (rows.has(row.id)) continue;
        found.extra.push(row.id);
        if (repair) context.forget(row.id, row);
      }
      return found;
    },
    async close() {
      followers.delete(context);
    },
  };
}
