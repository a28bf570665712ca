// Received logs on their way to Loki: what entries look like, what answers mean, and that each is there once.

import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { answerOf } from '../../broker/sinks/loki.ts';
import { readPart } from '../../broker/sinks/loki-batch.ts';
import { bodyOf, entryOf, LINE_BYTES_MAX } from '../../broker/sinks/loki-entries.ts';
import { type Answer, startLokiLoop } from '../../broker/sinks/loki-loop.ts';
import { createPush, DOUBTS_MAX } from '../../broker/sinks/loki-push.ts';
import { openLokiStore } from '../../broker/sinks/loki-store.ts';
import { judgePush } from '../../broker/sinks/loki-verdict.ts';
import type { HttpAnswer } from '../../broker/sinks/post.ts';
import { readDeadLetters } from '../../broker/sinks/store.ts';
import { formatRecord, type LogRecord } from '../../protocol/log-lines.ts';
import { stamp } from '../../redact/index.ts';
import { createStandIn, LIMITS } from '../long/loki-standin.ts';
import { fakeTime, folder, START_MS } from './fleet-rig.ts';

const REQUEST = '0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
const ORIGIN = {
  ...{ request: REQUEST, terminal: 'lane-1', store: 'berlin', source: 'pull' },
  anchorMs: START_MS,
} as const;
const record = (more: Partial<LogRecord> = {}): LogRecord => ({
  ...{ timeMs: START_MS - 1_000, guessed: false, level: 'warn', component: 'sale' },
  ...{ text: 'no paper', ...more },
});
const entry = (offset: number, more: Partial<LogRecord> = {}) =>
  entryOf(ORIGIN, record(more), offset);
const MINUTE_MS = 60_000;
const URL = 'http://loki:3100/loki/api/v1/push';

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

/** A push to a stand-in, without a socket. */
function loki(more: Partial<Parameters<typeof createStandIn>[0]> = {}, tenant?: string) {
  const requests: string[] = [];
  const standIn = createStandIn({ nowMs: () => START_MS, ...more });
  const says: { answer: HttpAnswer | undefined } = { answer: undefined };
  const client = {
    post: (url: string, bytes: Uint8Array, headers: Readonly<Record<string, string>>) => {
      const { pathname } = new globalThis.URL(url);
      const reply = () => standIn.push(pathname, headers, Buffer.from(bytes));
      return Promise.resolve(says.answer ?? { ok: true, ...reply() });
    },
  };
  const onRequest = (result: string): number => requests.push(result);
  return { ...createPush({ url: URL, tenant, client, onRequest }), standIn, requests, says };
}

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

function answer(path: string, text: string, ended: boolean): Answer {
  writeFileSync(join(path, `${REQUEST}.log`), text);
  const bytes = Buffer.byteLength(text);
  const { request, terminal, store, source } = ORIGIN;
  return { request, terminal, store, source, bytes, ended };
}

describe('an answer', () => {
  const lines = (count: number): string =>
    Array.from({ length: count }, (_, i) =>
      formatRecord(record({ timeMs: START_MS - 10_000 + i, text: `line ${i}\n  more of it` })),
    ).join('');

  it('is read in whole records, the newest only when it has ended', () => {
    const path = folder();
    const text = lines(3);
    answer(path, text, false);
    const file = join(path, `${REQUEST}.log`);
    const read = (ended: boolean, from = 0) => readPart(file, ORIGIN, from, text.length, ended);
    const open = read(false);
    const ended = read(true);
    if (typeof open === 'string' || typeof ended === 'string') throw new Error('nothing was read');
    expect([open.entries.length, ended.entries.length]).toEqual([2, 3]);
    expect(ended.entries[2]).toMatchObject({ line: 'line 2\n  more of it' });
    expect([open.until, ended.until]).toEqual([(text.length / 3) * 2, text.length]);
    expect(read(false, open.until)).toBe('nothing');
    expect(readPart(join(path, 'none'), ORIGIN, 0, 10, true)).toBe('gone');
  });

  it('buries what is no record', () => {
    const path = folder();
    const text = `gibberish\n${lines(1)}`;
    answer(path, text, true);
    const part = readPart(join(path, `${REQUEST}.log`), ORIGIN, 0, text.length, true);
    expect(part).toMatchObject({ entries: [{ line: 'line 0\n  more of it' }] });
    expect(part).toMatchObject({ buried: [{ reason: 'unreadable', count: 1 }] });
  });

  const kept = {
    ...{ id: REQUEST, terminal: 'lane-1', state: 'open', bytes: 90, checked: 70, sha256: '' },
    redactor: stamp(),
  } as unknown as Parameters<typeof answerOf>[0] & object;
  it.each([
    ['grows', {}, { source: 'pull', bytes: 70, ended: false, store: 'berlin' }],
    ['has ended', { sha256: 'ff', what: 'tail' }, { source: 'tail', bytes: 90, ended: true }],
    ['has no stamp', { redactor: '' }, undefined],
    ['has the stamp of nobody', { redactor: 'somebody/1' }, undefined],
    ['is deleted', { goneMs: 5 }, undefined],
    ['is a diagnosis', { what: 'diagnosis' }, undefined],
  ] as const)('that %s', (_, more, expected) => {
    const found = answerOf({ ...kept, ...more }, () => 'berlin');
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  });

  function forwarding() {
    const path = folder();
    const db = join(path, 'loki.db');
    const time = fakeTime();
    const to = loki();
    const open = (name = 'loki') => {
      const store = openLokiStore(db, { days: 30, rowsMax: 100 });
      const loop = startLokiLoop({
        ...{
          name,
          folder: path,
          kinds: ['pull', 'tail', 'incident'],
          send: to.send,
          store,
          ...time,
        },
        ...{ chance: () => 0, onTaken: () => undefined, onBuried: () => undefined },
        onChange: () => undefined,
      });
      const until = async (isSo: () => boolean) => {
        for (let turn = 0; turn < 2_000 && !isSo(); turn += 1) {
          await new Promise((done) => setImmediate(done));
          time.pass(100);
        }
        expect(isSo()).toBe(true);
      };
      const end = async () => {
        await loop.stop();
        store.close();
      };
      return { loop, until, end };
    };
    return { path, db, ...to, open };
  }

  it('is forwarded as it grows, goes on after a restart, and is not sent twice', async () => {
    const { path, standIn, requests, open } = forwarding();
    const text = lines(5);
    const first = open();
    first.loop.told([answer(path, text, false)]);
    await first.until(() => first.loop.status().behindBatches === 0);
    expect(standIn.entries()).toHaveLength(4);
    await first.end();
    const second = open();
    appendFileSync(join(path, `${REQUEST}.log`), lines(1));
    const all = answer(path, text + lines(1), true);
    second.loop.told([all]);
    await second.until(() => standIn.entries().length === 6);
    second.loop.told([all]);
    await second.until(() => second.loop.status().behindBatches === 0);
    expect([standIn.duplicates(), requests.length]).toEqual([0, 2]);
    await second.end();
  });

  it('waits for a Loki that is down and catches up by itself', async () => {
    const { path, standIn, says, open } = forwarding();
    says.answer = { ok: false, reason: 'connection refused' };
    const one = open();
    one.loop.told([answer(path, lines(9), true)]);
    await one.until(() => one.loop.status().up === false);
    expect(one.loop.status()).toMatchObject({ behindBatches: 1, taken: 0 });
    expect(one.loop.status().lastError).toContain('connection refused');
    says.answer = undefined;
    await one.until(() => one.loop.status().taken === 9);
    expect(standIn.entries()).toHaveLength(9);
    expect(one.loop.status()).toMatchObject({ up: true, lastError: '' });
    await one.end();
  });

  it('that was deleted before it was taken leaves a dead letter', async () => {
    const { path, db, open } = forwarding();
    const one = open();
    const gone = answer(path, lines(2), true);
    rmSync(join(path, `${REQUEST}.log`));
    one.loop.told([gone]);
    await one.until(() => one.loop.status().behindBatches === 0);
    await one.end();
    expect(readDeadLetters(db, 5)).toMatchObject([{ sink: 'loki', reason: 'expired', count: 1 }]);
  });
});
