import type { Channel, Step } from '@holdfast/alert-delivery';
import { log as logChannel } from '@holdfast/alert-delivery';
import { sendGrid } from '@holdfast/alert-delivery/sendgrid';
import { slackWebhook } from '@holdfast/alert-delivery/slack';
import { smtp } from '@holdfast/alert-delivery/smtp';
import { createTransport } from 'nodemailer';
import type { Logger } from 'pino';
import type { Config } from './config.js';

/** The chain that the environment asks for: Slack, then e-mail (SendGrid, then a mail server). The log is a step only when there is neither. */
export function chainOf(config: Config, log: Logger): Step[] {
  const channels: Channel[] = [];
  if (config.SLACK_WEBHOOK_URL) channels.push(slackWebhook({ url: config.SLACK_WEBHOOK_URL }));
  if (config.SENDGRID_API_KEY) {
    channels.push(
      sendGrid({
        apiKey: config.SENDGRID_API_KEY,
        from: config.ALERT_EMAIL_FROM ?? '',
        to: config.ALERT_EMAIL_TO ?? [],
        ...(config.SENDGRID_API_URL && { baseUrl: config.SENDGRID_API_URL }),
      }),
    );
  }
  if (config.SMTP_URL) channels.push(mailThrough(config.SMTP_URL, config));
  if (channels.length === 0) channels.push(logChannel({ write: (line) => log.info({ alert: line }, 'ALERT') }));
  return channels.map((channel) => ({
    channel,
    timeoutMs: config.CHANNEL_TIMEOUT_MS,
    retries: config.CHANNEL_RETRIES,
  }));
}

function mailThrough(url: string, config: Config): Channel {
  const { password } = new URL(url);
  const secrets = [password, decodeURIComponent(password)].filter((each) => each !== '');
  return smtp({
    // The attempt's own time is up long before nodemailer's defaults of minutes.
    transport: createTransport({
      url,
      connectionTimeout: config.CHANNEL_TIMEOUT_MS,
      socketTimeout: config.CHANNEL_TIMEOUT_MS,
    }),
    from: config.ALERT_EMAIL_FROM ?? '',
    to: config.ALERT_EMAIL_TO ?? [],
    secrets,
  });
}
