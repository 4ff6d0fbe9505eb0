import { defineConfig } from 'tsup';
import { packageBuild } from '../../tsup.base.js';

export default defineConfig(
  packageBuild([
    'src/index.ts',
    'src/mongodb.ts',
    'src/slack.ts',
    'src/sendgrid.ts',
    'src/smtp.ts',
    'src/pagerduty.ts',
    'src/signed-webhook.ts',
    'src/log.ts',
    'src/testing.ts',
    'src/cli.ts',
  ]),
);
