// `node scripts/figures.mjs [--write]`: the figures that READMEs and pages quote, beside bench/results.
import { readFileSync, writeFileSync } from 'node:fs';
import { pagesWithFigures, withFigures } from './facts/figures.mjs';

for (const path of pagesWithFigures()) {
  const before = readFileSync(path, 'utf8');
  const { text, faults } = withFigures(before);
  if (process.argv.includes('--write')) writeFileSync(path, text);
  else
    for (const fault of faults) {
      console.error(`${path}: ${fault}`);
      process.exitCode = 1;
    }
}
