// Received logs as entries of Loki's push API, what its answers mean, and that each entry is there once.

import { describe, expect, it } from 'vitest';
import { bodyOf, entryOf, LINE_BYTES_MAX } from '../../broker/sinks/loki-entries.ts';
import { DOUBTS_MAX } from '../../broker/sinks/loki-push.ts';
import { judgePush } from '../../broker/sinks/loki-verdict.ts';
import { LIMITS } from '../long/loki-standin.ts';
import { START_MS } from './fleet-rig.ts';
import { entry, loki, MINUTE_MS, ORIGIN, REQUEST, record } from './loki-rig.ts';

describe('an entry', () => {
  it('has few labels, its request as metadata, and nanoseconds of its offset', () => {
    expect(entry(1_234_567)).toEqual({
      labels: {
        ...{ job: 'tillwatch', store: 'berlin', terminal: 'lane-1', component: 'sale' },
        source: 'pull',
      },
      ns: `${START_MS - 1_000}234567`,
      line: 'no paper',
      metadata: { request: REQUEST, offset: '1234567', level: 'warn' },
    });
  });

  it('goes into a stream of its request where it is old when it comes', () => {
    expect(entry(0, { timeMs: START_MS - 29 * MINUTE_MS }).labels).not.toHaveProperty('pull');
    expect(entry(0, { timeMs: START_MS - 31 * MINUTE_MS }).labels).toMatchObject({
      pull: '0b3f6f0e',
    });
  });

  it('says when its time was guessed, and no level where there is none', () => {
    expect(entry(0, { guessed: true, level: undefined }).metadata).toEqual({
      ...{ request: REQUEST, offset: '0', guessed: 'true' },
    });
  });

  it('is cut at what Loki takes, between two characters', () => {
    const { line } = entry(0, { text: 'ä'.repeat(LINE_BYTES_MAX) });
    expect(Buffer.byteLength(line)).toBeLessThan(LIMITS.lineBytes);
    expect(line).toMatch(/^ä+ \[tillwatch: 26\d{4} bytes more\]$/);
  });

  it('stands in its stream by time', () => {
    const body = JSON.parse(bodyOf([entry(9, { timeMs: START_MS }), entry(5), entry(4)])) as {
      streams: { values: [string][] }[];
    };
    expect(body.streams[0]?.values.map(([ns]) => ns.slice(-6))).toEqual([
      '000004',
      '000005',
      '000009',
    ]);
  });
});

describe('what Loki answers', () => {
  it.each([
    [204, '', { kind: 'taken' }],
    [429, 'Ingestion rate limit exceeded', { kind: 'again', result: 'throttled' }],
    [503, 'ingester is shutting down', { kind: 'again', result: 'unavailable' }],
    [404, '404 page not found', { kind: 'again', result: 'no_receiver' }],
    [401, 'no org id', { kind: 'again', result: 'unauthorised' }],
    [413, '', { kind: 'bad', reason: 'too_large' }],
    [400, "error parsing labels '{a-b=1}'", { kind: 'bad', reason: 'invalid' }],
    [400, 'has timestamp too new: 2030', { kind: 'bad', reason: 'future' }],
    [
      400,
      "reason: 'entry too far behind, entry timestamp is: x, oldest acceptable timestamp is: 2026-11-23T10:00:00Z'",
      { kind: 'bad', reason: 'too_far_behind', oldestMs: Date.UTC(2026, 10, 23, 10) },
    ],
  ])('%i %s', (status, text, verdict) => {
    expect(judgePush({ status, text }, 'loki')).toMatchObject(verdict);
  });
});

describe('a push', () => {
  it('brings each entry, and a replay adds nothing', async () => {
    const { send, standIn } = loki();
    const entries = Array.from({ length: 50 }, (_, i) => entry(i * 40));
    expect(await send(entries)).toMatchObject({ kind: 'taken', items: 50, buried: [] });
    await send(entries);
    expect([standIn.entries().length, standIn.duplicates()]).toEqual([50, 50]);
  });

  it('finds what is too old in two requests, whatever there is of it', async () => {
    const { send, standIn, requests } = loki();
    const old = Array.from({ length: 300 }, (_, i) =>
      entry(i, { timeMs: START_MS - 8 * 24 * 60 * MINUTE_MS }),
    );
    const result = await send([...old, entry(7), entry(8)]);
    expect(result).toMatchObject({ items: 2, buried: [{ reason: 'too_old', count: 300 }] });
    expect([standIn.entries().length, requests]).toEqual([2, ['refused', 'ok']]);
  });

  it('finds the one entry that is of the future among a thousand', async () => {
    const { send, standIn, requests } = loki();
    const entries = Array.from({ length: 1_000 }, (_, i) => entry(i * 9));
    entries[613] = entry(99_999, { timeMs: START_MS + 60 * MINUTE_MS });
    const result = await send(entries);
    expect(result).toMatchObject({ items: 999, buried: [{ reason: 'future', count: 1 }] });
    expect(standIn.entries()).toHaveLength(999);
    expect(requests.length).toBeLessThan(25);
  });

  it('loses nothing that is too far behind its stream: it gets one of its own', async () => {
    const { send, standIn } = loki();
    await send([entry(1, { timeMs: START_MS })]);
    const late = { ...ORIGIN, anchorMs: START_MS - 100 * MINUTE_MS };
    const behind = [80, 90].map((minutes) =>
      entryOf(late, record({ timeMs: START_MS - minutes * MINUTE_MS }), minutes),
    );
    expect(behind[0]?.labels).not.toHaveProperty('pull');
    expect(await send(behind)).toMatchObject({ kind: 'taken', items: 2, buried: [] });
    expect(standIn.entries().map(({ stream }) => stream['pull'])).toEqual([
      ...[undefined, '0b3f6f0e', '0b3f6f0e'],
    ]);
  });

  it('waits where Loki is away, throttles or wants a tenant', async () => {
    const one = loki({ hasTenants: true });
    expect(await one.send([entry(1)])).toMatchObject({ kind: 'again', afterMs: 5_000 });
    const two = loki({ hasTenants: true }, 'shops');
    two.says.answer = { ok: true, status: 429, text: 'slow', retryAfterMs: 7_000 };
    expect(await two.send([entry(1)])).toMatchObject({ kind: 'again', afterMs: 7_000 });
    two.says.answer = { ok: false, reason: 'connection refused' };
    expect(await two.send([entry(1)])).toMatchObject({ kind: 'again' });
    two.says.answer = undefined;
    expect(await two.send([entry(1)])).toMatchObject({ kind: 'taken' });
    expect(two.requests).toEqual(['throttled', 'unavailable', 'ok']);
  });

  it('that is refused from the beginning, whatever is in it, waits for a person', async () => {
    const { send, says } = loki();
    says.answer = { ok: true, status: 400, text: 'who knows' };
    const entries = [entry(1), entry(2)];
    for (let time = 0; time < DOUBTS_MAX; time += 1) {
      expect(await send(entries)).toMatchObject({ kind: 'again' });
    }
    expect(await send(entries)).toMatchObject({ kind: 'taken', items: 0, buried: [{}, {}] });
  });

  it('that is refused in all of its thousand entries waits, too, also later', async () => {
    const { send, says } = loki();
    await send([entry(1)]);
    says.answer = { ok: true, status: 400, text: 'who knows' };
    const entries = Array.from({ length: 1_000 }, (_, i) => entry(i));
    expect(await send(entries)).toMatchObject({ kind: 'again' });
  });
});
