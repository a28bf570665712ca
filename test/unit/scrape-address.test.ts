import { describe, expect, test } from 'vitest';
import { metricsAddress } from '../../agent/telemetry/scrape.ts';

describe('an address for metrics', () => {
  test.each([
    'https://127.0.0.1/metrics',
    'http://192.0.2.1/metrics',
    'http://localhost.example.com/',
    'http://127.0.0.1.example.com/',
    'http://[::2]/metrics',
    'file:///etc/passwd',
    'no url',
  ])('%s is refused', (url) => {
    expect(metricsAddress(url).ok).toBe(false);
  });
  test.each(['http://127.0.0.1:1/', 'http://localhost:1/', 'http://[::1]:1/', 'http://127.9.9.9/'])(
    '%s is on this machine',
    (url) => {
      expect(metricsAddress(url).ok).toBe(true);
    },
  );
});
