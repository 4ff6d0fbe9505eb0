import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.js';

const refused = (env: Record<string, string>): string => {
  try {
    readConfig(env);
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
};

describe('readConfig', () => {
  it('works with nothing set, and takes an empty variable for unset [P58]', () => {
    expect(readConfig({})).toMatchObject({ PORT: 3000, HOST: '127.0.0.1', ALERT_PEERS: 2, CHANNEL_RETRIES: 2 });
    expect(readConfig({ PORT: '', MONGODB_URI: '', SLACK_WEBHOOK_URL: '' })).toMatchObject({ PORT: 3000 });
  });

  it('refuses an address that others reach without a token, unless told otherwise [P59]', () => {
    for (const HOST of ['0.0.0.0', '::', '10.1.2.3', 'example.com', '127.0.0.1.example.com', '::ffff:10.0.0.1']) {
      expect([HOST, refused({ HOST })]).toEqual([HOST, expect.stringContaining('API_TOKEN')]);
      expect([HOST, refused({ HOST, API_TOKEN: 't' })]).toEqual([HOST, '']);
      expect([HOST, refused({ HOST, ALLOW_UNAUTHENTICATED: 'true' })]).toEqual([HOST, '']);
    }
    for (const HOST of ['127.0.0.1', '127.5.0.1', '::1', 'localhost'])
      expect([HOST, refused({ HOST })]).toEqual([HOST, '']);
  });

  it('names every variable that is wrong and never its value [P60]', () => {
    const text = refused({
      PORT: 'canary1',
      SLACK_WEBHOOK_URL: 'ftp://canary2',
      MONGODB_URI: 'http://canary3',
      CHANNEL_TIMEOUT_MS: '-1',
      SMTP_URL: 'canary4',
      LOG_LEVEL: 'canary5',
    });
    for (const name of ['PORT', 'SLACK_WEBHOOK_URL', 'MONGODB_URI', 'CHANNEL_TIMEOUT_MS', 'SMTP_URL', 'LOG_LEVEL']) {
      expect(text).toContain(name);
    }
    expect(text).not.toContain('canary');
  });

  it('asks for the addresses of mail when mail is to be sent [P61]', () => {
    for (const env of [{ SENDGRID_API_KEY: 'k' }, { SMTP_URL: 'smtp://localhost' }]) {
      const text = refused(env as Record<string, string>);
      expect(text).toContain('ALERT_EMAIL_FROM is needed');
      expect(text).toContain('ALERT_EMAIL_TO is needed');
    }
    const to = readConfig({
      SMTP_URL: 'smtp://localhost',
      ALERT_EMAIL_FROM: 'a@example.com',
      ALERT_EMAIL_TO: 'b@example.com, c@example.com',
    });
    expect(to.ALERT_EMAIL_TO).toEqual(['b@example.com', 'c@example.com']);
  });
});
