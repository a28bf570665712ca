// A wrong name gets the nearest right one, and a word that is near to nothing gets none.

import { describe, expect, it } from 'vitest';
import type { Client, Refusal } from '../../cli/client.ts';
import { refusedFor } from '../../cli/names.ts';
import { didYouMean, distance, nearest } from '../../cli/nearest.ts';

describe('the distance of two words', () => {
  it.each([
    ['', '', 0],
    ['sync', 'sync', 0],
    ['snyc', 'sync', 1],
    ['synk', 'sync', 1],
    ['syncs', 'sync', 1],
    ['ync', 'sync', 1],
    ['sale', '', 4],
    ['hardwear', 'hardware', 2],
  ])('from %j to %j is %i, and as much back', (from, to, steps) => {
    expect([distance(from, to), distance(to, from)]).toEqual([steps, steps]);
  });
});

describe('the nearest word', () => {
  const lanes = ['bm-lane-1', 'bm-lane-2', 'bm-lane-3', 'bm-lane-4', 'ha-lane-1'];

  it.each([
    ['bm-lane-11', ['bm-lane-1']],
    ['BM-LANE-2', ['bm-lane-2']],
    ['lane-3', ['bm-lane-3']],
    ['bm-lnae-4', ['bm-lane-4']],
    ['bm-lane-9', ['bm-lane-1', 'bm-lane-2', 'bm-lane-3']],
    ['printer', []],
    ['', []],
  ])('to %j is %j', (word, words) => {
    expect(nearest(word, lanes)).toEqual(words);
  });

  it('is told as a question', () => {
    expect(didYouMean('salt', ['sale', 'sync'])).toBe('; did you mean sale?');
    expect(didYouMean('lane-1', lanes)).toBe('; did you mean bm-lane-1 or ha-lane-1?');
    expect(didYouMean('bm-lane-9', lanes)).toBe(
      '; did you mean bm-lane-1, bm-lane-2 or bm-lane-3?',
    );
    expect(didYouMean('printer', lanes)).toBe('');
    expect(didYouMean('x', [])).toBe('');
  });
});

describe('a refusal', () => {
  const refusal = (status?: number): Refusal => ({
    ok: false,
    exit: 1,
    sentence: 'no',
    ...(status === undefined ? {} : { status }),
  });
  const asked: string[] = [];
  const client = {
    url: 'http://broker',
    get: (path: string) => {
      asked.push(path);
      const components = [{ name: 'sale' }, { name: 'sync' }];
      const view = { id: 'bm-lane-1', components };
      return Promise.resolve({
        ok: true,
        value: path.startsWith('/api/v1/terminals?') ? { terminals: [view] } : view,
      });
    },
  } as unknown as Client;
  const names = { terminal: 'bm-lane-l', component: 'sink' };

  it('of an unknown terminal names the nearest', async () => {
    const outcome = await refusedFor(client, refusal(404), names);
    expect(outcome).toEqual({ exit: 1, sentence: 'no; did you mean bm-lane-1?' });
  });

  it('of an unknown component names the nearest of that terminal', async () => {
    const outcome = await refusedFor(client, refusal(422), names);
    expect(outcome.sentence).toBe('no; did you mean sync?');
    const right = await refusedFor(client, refusal(422), { ...names, component: 'sale' });
    expect(right.sentence).toBe('no');
  });

  it('for any other reason asks nothing', async () => {
    asked.length = 0;
    for (const status of [undefined, 409, 500]) {
      expect(await refusedFor(client, refusal(status), names)).toEqual({ exit: 1, sentence: 'no' });
    }
    expect(asked).toEqual([]);
  });
});
