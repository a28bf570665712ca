// What terminals may send as the answer to a request for logs, and what of it a broker believes.

import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CARD, chunkOf, endOf, lineOf, sha256, wire } from './logs-wire.ts';

describe('a terminal that answers', () => {
  it('a request that is not its own is refused, and the request goes on', async () => {
    const { ask, heard, view, stored } = await wire();
    const id = await ask();
    const text = lineOf('all is well');
    expect(heard(chunkOf(id, 0, text), 'lane-2')).toMatch(/nobody asks this terminal/);
    expect(heard(chunkOf(randomUUID(), 0, text))).toMatch(/nobody asks this terminal/);
    expect(heard(chunkOf(id, 0, text))).toBe(text.length);
    expect(heard(chunkOf(id, text.length, 'mine'), 'lane-2')).toMatch(/nobody asks/);
    expect(heard(endOf(id, text))).toBe(text.length + 1);
    expect([await view(id), stored(id)]).toMatchObject([{ state: 'complete' }, text]);
  });

  it('garbage ends the request with a sentence and keeps nothing', async () => {
    const { ask, heard, view } = await wire();
    for (const make of [
      (id: string) => chunkOf(id, 0, 'x', { request: randomUUID() }),
      (id: string) => chunkOf(id, 0, 'x', { seq: 7 }),
      (id: string) => chunkOf(id, 0, 'x', { redactor: '' }),
      (id: string) => chunkOf(id, 0, 'x', { redactor: 'sed/1' }),
    ]) {
      const id = await ask();
      expect(heard(make(id))).toMatch(/nothing of it is kept$/);
      expect(await view(id)).toMatchObject({ state: 'failed', bytes: 0 });
      expect(heard(chunkOf(id, 0, 'late'))).toMatch(/nothing of it is kept$/);
    }
  });

  it('random bytes in place of chunks keeps the broker and the request', async () => {
    const { ask, give, heard, view } = await wire();
    const id = await ask();
    for (let n = 0; n < 200; n += 1) {
      const good = Buffer.from(chunkOf(id, 0, lineOf('all is well')));
      good[n % good.length] = randomBytes(1)[0] as number;
      give(good);
      give(randomBytes(n));
    }
    const other = await ask();
    expect(heard(endOf(other, ''))).toBe(1);
    expect(await view(other)).toMatchObject({ state: 'complete', bytes: 0 });
    expect(['waiting', 'failed', 'complete']).toContain((await view(id)).state);
  });

  it('an offset beyond what is here is not answered, and one before it changes nothing', async () => {
    const { ask, give, heard, stored } = await wire();
    const id = await ask();
    expect(give(chunkOf(id, 5, 'world\n'))).toEqual([]);
    expect(heard(chunkOf(id, 0, 'hello'))).toBe(5);
    expect(heard(chunkOf(id, 0, 'HELLO'))).toBe(5);
    expect(heard(chunkOf(id, 2, 'LLOworld\n'))).toBe(11);
    expect(stored(id)).toBe('hel'.concat('loworld\n'));
  });

  it('more than was asked for is refused: 64 MB for a request of one', async () => {
    const { ask, heard, view } = await wire();
    const id = await ask({ bytesMax: 1024 * 1024 });
    const piece = Buffer.alloc(256 * 1024, 'all is well\n');
    let answer: number | string | undefined;
    for (let n = 0; n < 256 && typeof answer !== 'string'; n += 1) {
      answer = heard(chunkOf(id, n * piece.length, piece));
    }
    expect(answer).toMatch(/larger than the 1048576 bytes/);
    expect(await view(id)).toMatchObject({ state: 'failed', bytes: 1024 * 1024 });
  });

  it('another digest than that of its bytes fails', async () => {
    const { ask, heard, view } = await wire();
    const id = await ask();
    heard(chunkOf(id, 0, 'one\n'));
    expect(heard(endOf(id, 'two\n'))).toMatch(/digests differ/);
    expect(await view(id)).toMatchObject({ state: 'failed', complete: false });
  });

  it('with card data in it: masked before the disk, counted and told as an incident', async () => {
    const { ask, heard, view, stored, audited, counted } = await wire();
    const id = await ask();
    const text = lineOf(`paid by ${CARD}`) + lineOf('all is well');
    heard(chunkOf(id, 0, text.slice(0, 50)));
    heard(chunkOf(id, 50, text.slice(50)));
    expect(heard(endOf(id, text, { missed: 2 }))).toBe(text.length + 1);
    const masked = text.replace(CARD, '*'.repeat(16));
    expect(stored(id)).toBe(masked);
    expect(await view(id)).toMatchObject({
      ...{ state: 'complete', missed: 3, sha256: sha256(masked).toString('hex') },
    });
    expect(await counted('tillwatch_log_missed_total')).toBe(3);
    expect(audited('logs.missed')).toMatchObject({ subject: 'lane-1', outcome: 'masked' });
    expect(audited('logs.receive')).toMatchObject({ detail: { masked: 1, missed: 2 } });
  });
});

describe('the progress of a search', () => {
  it('is told by chunks without bytes, and only ever goes on', async () => {
    const { ask, heard, view } = await wire();
    const id = await ask();
    const told = { searchedBytes: 10, searchBytes: 100, dropped: 2 };
    expect(heard(chunkOf(id, 0, '', told))).toBeUndefined();
    expect(await view(id)).toMatchObject(told);
    heard(chunkOf(id, 0, '', { searchedBytes: 5 }));
    expect(await view(id)).toMatchObject(told);
    expect(heard(endOf(id, '', { cutBy: 'time', truncated: true, ...told }))).toBe(1);
    expect(await view(id)).toMatchObject({ state: 'complete', cutBy: 'time', truncated: true });
  });
});
