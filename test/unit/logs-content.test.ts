// What has arrived, as text, as JSON lines, filtered, and searched over everything that is kept.

import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { RECORD_BYTES_MAX, readContent } from '../../broker/logs/content.ts';
import { readPattern } from '../../broker/logs/patterns.ts';
import { chunkOf, endOf, lineOf, START_MS, wire } from './logs-wire.ts';

const TRACE = lineOf(
  'the printer does not answer\n\tError: timeout\n\t    at ask (a.js:1)',
  1,
  'E',
);
const TEXT =
  lineOf('sale begun') +
  TRACE +
  lineOf('Paid 12.50', 2).replace('[sale]', '[sync]') +
  lineOf('void', 3, 'W');

const TEN_LINES = Array.from({ length: 10 }, () => Buffer.from(lineOf('one')));

async function received(text = TEXT) {
  const rig = await wire();
  const id = await rig.ask();
  rig.heard(chunkOf(id, 0, text));
  rig.heard(endOf(id, text));
  const read = async (query: string) => await rig.get(`/api/v1/logs/${id}/content${query}`);
  return { ...rig, id, read };
}
const objects = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('what has arrived', () => {
  it('is one JSON object a line, a stack trace in one', async () => {
    const { read, id } = await received();
    const answer = await read('?format=jsonl');
    expect(answer.headers['content-type']).toMatch(/^application\/x-ndjson/);
    const found = objects(answer.body);
    expect(found).toHaveLength(4);
    expect(found[1]).toEqual({
      ...{ timeMs: START_MS + 1_000, guessed: false, level: 'error', component: 'sale' },
      text: 'the printer does not answer\nError: timeout\n    at ask (a.js:1)',
      ...{ offset: lineOf('sale begun').length, terminal: 'lane-1', request: id },
    });
  });

  it.each([
    ['level=warn', TRACE + lineOf('void', 3, 'W')],
    ['component=sync', lineOf('Paid 12.50', 2).replace('[sale]', '[sync]')],
    ['text=PAID', lineOf('Paid 12.50', 2).replace('[sale]', '[sync]')],
    ['pattern=%5EError:%20t', ''],
    ['pattern=(?m)%5EError:%20t', TRACE],
    ['text=void&level=error', ''],
  ])('is filtered by whole records: %s', async (query, text) => {
    const { read } = await received();
    const answer = await read(`?${query}`);
    expect([answer.statusCode, answer.body]).toEqual([200, text]);
  });

  it('refuses a wrong pattern, and an offset where it means nothing', async () => {
    const { read } = await received();
    for (const [query, sentence] of [
      ['?pattern=(', /missing closing \) at character 1/],
      ['?offset=1&level=warn', /^offset: it counts bytes of the whole text/],
      ['?offset=1&format=jsonl', /^offset: /],
    ] as const) {
      const answer = await read(query);
      expect(answer.statusCode).toBe(422);
      expect(answer.json<{ detail: string }>().detail).toMatch(sentence);
    }
  });

  it('is found over everything kept, the newest answer first', async () => {
    const { get, ask, heard } = await received();
    const other = await ask();
    heard(chunkOf(other, 0, lineOf('the printer is back', 60)));
    const search = async (query: string) =>
      (await get(`/api/v1/logs/search?${query}`)).json<{ matches: { text: string }[] }>();
    const found = await search('text=PRINTER');
    expect(found).toMatchObject({ complete: true });
    expect(found.matches.map(({ text }) => text.split('\n')[0])).toEqual([
      'the printer is back',
      'the printer does not answer',
    ]);
    expect((await search('text=printer&limit=1')).matches).toHaveLength(1);
    expect((await search('text=printer&terminal=lane-2')).matches).toEqual([]);
    const later = await search(`text=printer&sinceMs=${START_MS + 30_000}`);
    expect(later.matches).toHaveLength(1);
  });

  it('of a diagnosis has no records', async () => {
    const { post, get } = await wire();
    const asked = await post('/api/v1/terminals/lane-1/diagnose', { reason: 'it is slow' });
    const { id } = asked.json<{ id: string }>();
    expect((await get(`/api/v1/logs/${id}/content?format=jsonl`)).statusCode).toBe(422);
  });
});

describe('records of a file', () => {
  const view = { id: 'x', terminal: 'lane-1', sinceMs: 7, bytes: 1 };
  let clockMs = 0;
  const all = async (bytes: readonly Buffer[], filter = {}) => {
    const files = { read: () => Readable.from(bytes) };
    const parts = readContent(files, view, filter, 'jsonl', () => clockMs);
    const text = (await parts.toArray()).join('');
    return text === '' ? [] : objects(text);
  };

  it('are the same wherever it is read in pieces', async () => {
    const bytes = Buffer.from(TEXT);
    const whole = await all([bytes]);
    for (let at = 1; at < bytes.length; at += 7) {
      expect(await all([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
    }
  });

  it('without an end are cut, so that they take no memory and little time', async () => {
    const piece = Buffer.alloc(64 * 1024, 'x');
    const found = await all(Array.from({ length: 256 }, () => piece));
    expect(found.length).toBeGreaterThan(10);
    const lengths = found.map(({ text }) => text.length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(RECORD_BYTES_MAX + piece.length);
    expect(lengths.reduce((a: number, b: number) => a + b, 0)).toBe(256 * piece.length);
    expect(found[0]).toMatchObject({ timeMs: 7, guessed: true, level: null, component: '' });
  });

  it.each(['(a+)+$', `${'('.repeat(499)}a${')'.repeat(499)}*!`, '(x+x+)+y'])(
    'are searched in linear time by a hostile expression: %.12s',
    async (pattern) => {
      const hostile = await readPattern(pattern);
      const finds = hostile.ok ? hostile.value : undefined;
      expect(finds).toBeDefined();
      const text = lineOf(`${'a'.repeat(60_000)}?`);
      expect(await all([Buffer.from(text)], { finds })).toEqual([]);
    },
    5_000,
  );

  it('are not read any more once that has taken too long', async () => {
    const finds = () => {
      clockMs += 10_000;
      return false;
    };
    const slow = all([Buffer.from(lineOf('one').repeat(2)), ...TEN_LINES], { finds });
    await expect(slow).rejects.toThrow(/takes too long/);
  });
});
