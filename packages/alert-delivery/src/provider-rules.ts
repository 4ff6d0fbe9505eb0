import { COMMON_RULES, type RuleRow } from './http-post.js';
import { PAGERDUTY_RULES } from './pagerduty.js';
import { SENDGRID_RULES } from './sendgrid.js';
import { WEBHOOK_RULES } from './signed-webhook.js';
import { SLACK_RULES } from './slack.js';
import { SMTP_RULES, type SmtpRule } from './smtp.js';

/** How each provider's answers read, as data. The rows of `common` follow those of an HTTP provider. */
export const PROVIDER_RULES: {
  readonly common: readonly RuleRow[];
  readonly slack: readonly RuleRow[];
  readonly sendgrid: readonly RuleRow[];
  readonly pagerduty: readonly RuleRow[];
  readonly webhook: readonly RuleRow[];
  readonly smtp: readonly SmtpRule[];
} = {
  common: COMMON_RULES,
  slack: SLACK_RULES,
  sendgrid: SENDGRID_RULES,
  pagerduty: PAGERDUTY_RULES,
  webhook: WEBHOOK_RULES,
  smtp: SMTP_RULES,
};
