import type { ChaosOptions, ChaosReport } from '@holdfast/testkit';
import { runTables } from '../fixtures/tables.js';

export const part = 'graceful-shutdown/tables-node-24';

/** Both tables of situations, 20 runs each, on Node 24. */
export const run = (options: ChaosOptions): Promise<ChaosReport> => runTables(24, options);
