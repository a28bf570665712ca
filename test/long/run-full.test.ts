// A run directory without a byte left, because something else has filled /run. No till is given up for that: components
// are started, found again by the next agent, never started twice, and their ends are heard.

import { expect, it } from 'vitest';
import { onSmallDisk } from './disk-world.ts';

it('a full run directory keeps no component from being started, found again and ended', (context) => {
  const told = onSmallDisk(context, 'test/long/run-full-child.ts', '4m');
  expect(told['started']).toMatchObject({ ok: true });
  expect(told['started']?.['tookMs']).toBeLessThan(5_000);
  expect(told['copy']).toMatchObject({ ok: false });
  expect(told['adopted']).toMatchObject({ same: true });
  expect(told['ended']).toMatchObject({ code: 7 });
  expect(told['again']).toMatchObject({ ok: true });
  expect(told['again adopted']).toMatchObject({ same: true });
});
