import type { ChaosOptions, ChaosReport } from '@holdfast/testkit';
import { runTables } from '../fixtures/tables.js';

export const part = 'graceful-shutdown/tables-node-26';

/** Both tables of situations, 20 runs each, on Node 26. */
export const run = (options: ChaosOptions): Promise<ChaosReport> => runTables(26, options);
