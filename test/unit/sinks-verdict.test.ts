import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../broker/sinks/backoff.ts';
import { retryAfterMs } from '../../broker/sinks/post.ts';
import { durationMs } from '../../broker/sinks/self-test.ts';
import { judge } from '../../broker/sinks/verdict.ts';
import { shownUrl, systemWords } from '../../broker/sinks/words.ts';

const WHERE = 'http://db:9090/api/v1/write';
const verdict = (status: number, text = '', retry?: number) =>
  judge({ status, text, ...(retry !== undefined && { retryAfterMs: retry }) }, WHERE);

describe('an answer', () => {
  it('of 200 and 204 is taken', () => {
    expect([verdict(200).kind, verdict(204).kind]).toEqual(['taken', 'taken']);
  });

  it('that refuses for ever has one of a few words for it', () => {
    const said: [number, string, string][] = [
      [500, 'too old sample', 'too_old'],
      [400, 'too old sample', 'too_old'],
      [400, 'out of order sample', 'out_of_order'],
      [400, 'duplicate sample for timestamp', 'duplicate'],
      [400, 'out of bounds', 'out_of_bounds'],
      [
        400,
        'received a sample whose timestamp is too far in the future (err-mimir-too-far-in-future)',
        'future',
      ],
      [
        400,
        'the sample has been rejected because another sample with a more recent timestamp has already been ingested and this sample is beyond the out-of-order time window (err-mimir-sample-timestamp-too-old)',
        'too_old',
      ],
      [400, 'per-user series limit of 150000 exceeded (err-mimir-max-series-per-user)', 'limit'],
      [400, 'received a series with an invalid label', 'invalid'],
      [400, 'strange', 'refused'],
      [422, '', 'refused'],
      [413, 'request entity too large', 'too_large'],
    ];
    for (const [status, text, reason] of said) {
      expect([text, verdict(status, text)]).toMatchObject([text, { kind: 'bad', reason }]);
    }
  });

  it('that is about the database and not about the samples is asked for again', () => {
    for (const [status, text, result] of [
      [429, 'slow down', 'throttled'],
      [500, 'no space left on device', 'unavailable'],
      [503, '', 'unavailable'],
      [500, 'memory limit exceeded', 'unavailable'],
      [302, '', 'unavailable'],
      [415, 'unsupported media type', 'unavailable'],
      [401, '', 'unauthorised'],
      [403, '', 'unauthorised'],
      [404, 'page not found', 'no_receiver'],
      [405, '', 'no_receiver'],
    ] as const) {
      expect([status, verdict(status, text)]).toMatchObject([status, { kind: 'again', result }]);
    }
  });

  it('says what a person must do', () => {
    expect(verdict(404)).toMatchObject({
      sentence: expect.stringContaining('--web.enable-remote-write-receiver'),
    });
    expect(verdict(401)).toMatchObject({ sentence: expect.stringContaining('bearerTokenFile') });
  });

  it('may say how long to wait, in seconds or as a date, within reason', () => {
    expect(verdict(429, '', 7_000)).toMatchObject({ afterMs: 7_000 });
    expect(retryAfterMs('120', 0)).toBe(120_000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 10_000)).toBe(50_000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 90_000)).toBe(0);
    expect([retryAfterMs('soon', 0), retryAfterMs(undefined, 0)]).toEqual([undefined, undefined]);
    expect(retryAfterMs('99999999', 0)).toBe(600_000);
  });
});

describe('waiting', () => {
  it('doubles from a second to a minute, a half of it by chance', () => {
    expect([1, 2, 3, 7, 500].map((n) => backoffMs(n, 1))).toEqual([
      1_000, 2_000, 4_000, 60_000, 60_000,
    ]);
    expect(backoffMs(7, 0)).toBe(30_000);
  });

  it('is never shorter than the database asked for', () => {
    expect(backoffMs(1, 0.5, 45_000)).toBe(45_000);
  });
});

describe('words of others', () => {
  it('become one line without control characters, and addresses lose their secrets', () => {
    expect(systemWords('a\r\n\u001b[31mb\t c\n')).toBe('a [31mb c');
    expect(systemWords('x'.repeat(1_000)).length).toBeLessThan(310);
    expect(shownUrl('http://name:secret@db:9090/api/v1/write?key=secret')).toBe(WHERE);
  });

  it('that are durations are read as Prometheus and VictoriaMetrics mean them', () => {
    expect(['30d', '1d12h', '0s', '1ms', '1w', 'x', ''].map(durationMs)).toEqual([
      2_592_000_000,
      129_600_000,
      0,
      1,
      604_800_000,
      undefined,
      undefined,
    ]);
  });
});
