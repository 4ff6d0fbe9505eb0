import type { ChaosOptions, ChaosReport } from '@holdfast/testkit';
import { runTables } from '../fixtures/tables.js';

export const part = 'graceful-shutdown/tables-node-22';

/** Both tables of situations, 20 runs each, on Node 22. */
export const run = (options: ChaosOptions): Promise<ChaosReport> => runTables(22, options);
