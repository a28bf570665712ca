// A text that takes long to read: what acknowledges goes on meanwhile.

import { expect, it } from 'vitest';
import { readText } from '../../broker/configurations/read.ts';

it('a long text is read beside the loop that acknowledges, and refused in the same words', async () => {
  const text = 'mode: act\n'.repeat(6_000);
  let turns = 0;
  const turn = setInterval(() => {
    turns += 1;
  }, 10);
  const read = await readText(text);
  clearInterval(turn);
  expect(read.ok).toBe(false);
  expect(JSON.stringify(read)).toContain('Map keys must be unique');
  // Read in the loop there is no turn at all before the answer.
  expect(turns).toBeGreaterThan(3);
});

it('a long text that is right is taken', async () => {
  const text = `mode: act\n${'# nothing\n'.repeat(2_000)}`;
  expect(await readText(text)).toMatchObject({ ok: true, bytes: text.length });
});
