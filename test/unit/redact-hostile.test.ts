// Text that was made to be slow: twice as much of it takes about twice as long, whichever finder it was made for.
// Measured at n and 2n with room for a busy machine; what is quadratic takes four times as long, and at these sizes
// seconds instead of milliseconds.

import { describe, expect, it } from 'vitest';
import { openRedactStream } from '../../redact/index.ts';

const BYTES = 40 * 1024;

const patterns = [
  ...['4', '4 ', '4   ', '=', '5A08', '34', '34 ', '00 ', 'NDEx', 'WghB', '{"pan":', '"pan":"'],
  ...['a@', 'a.b@', '\\', '\\u0034', '%34', '&#52;', '4\u0000', '-----BEGIN PRIVATE KEY-----'],
  ...['Ab1/', 'eyJhbGciOi', 'a://b', '://a:', '0200F2', '02007238000108C08000', '>', '<a:pan a'],
  ...['B4111111111111111^', '4111 1111 1111 111 ', '00000010: 3131 ', '00000010  31 31 31 '],
  ...['cardholder: a ', 'cookie=', '<field ', '<pan ', 'cvv ', 'Bearer ', '411111111111111='],
  ...['5F2008', '9F1F0430303030', '70085A0641111111', 'token=a', 'field ', 'phone: 1 ', '2026'],
  ...[
    '\u001b[0m4',
    '4\u00ad',
    '%25',
    '&amp;',
    '52, ',
    '0004',
    '\\uff14',
    '4=20',
    'Bearer abcdefghijklmnop ',
  ],
  ...['"pan":["1",', 'cookie: a=b; ', 'prüfnummer ', 'cvv\u001b[33m', 'a://b:c@', 'password: {'],
];

/** Of the processor, as others use it as well; the quicker of two, which is the one that nobody disturbed. */
function costMs(pattern: string, bytes: number): number {
  const text = Buffer.from(pattern.repeat(Math.ceil(bytes / pattern.length)));
  const once = (): number => {
    const start = process.threadCpuUsage();
    const stream = openRedactStream();
    stream.push(text);
    stream.end();
    const { user, system } = process.threadCpuUsage(start);
    return (user + system) / 1_000;
  };
  return Math.min(once(), once());
}

describe('hostile text', () => {
  it.each(patterns)('of nothing but %j takes time in proportion', (pattern) => {
    const single = costMs(pattern, BYTES);
    expect(costMs(pattern, 2 * BYTES)).toBeLessThan(single * 3.5 + 150);
    // No more than 10 microseconds a byte, on the slowest machine that runs this.
    expect(single).toBeLessThan((BYTES * 10) / 1_000);
  });
});
