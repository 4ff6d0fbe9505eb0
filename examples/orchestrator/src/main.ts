import { ConfigError, readConfig } from './config.js';
import { createLogger } from './logger.js';
import { createOrchestrator } from './orchestrator.js';

// A log that nobody reads any more stops no alert.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  const config = readConfig(process.env);
  await createOrchestrator(config, createLogger(config.LOG_LEVEL)).run();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
