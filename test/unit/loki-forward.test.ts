// Received logs on their way to Loki: read from their files in whole records, forwarded as they grow, each once.

import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDeadLetters } from '../../broker/sinks/dead-letters.ts';
import { answerOf } from '../../broker/sinks/loki.ts';
import { readPart } from '../../broker/sinks/loki-batch.ts';
import { type Answer, startLokiLoop } from '../../broker/sinks/loki-loop.ts';
import { openLokiStore } from '../../broker/sinks/loki-store.ts';
import { formatRecord } from '../../protocol/log-lines.ts';
import { stamp } from '../../redact/index.ts';
import { fakeTime, folder, START_MS } from './fleet-rig.ts';
import { loki, ORIGIN, REQUEST, record } from './loki-rig.ts';

const REAL_MS_MAX = 10_000;

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
        // Files and compression take real time, however fast the clock runs.
        const endMs = performance.now() + REAL_MS_MAX;
        while (!isSo() && performance.now() < endMs) {
          await new Promise((done) => setTimeout(done, 1));
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
