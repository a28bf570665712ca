// One component's files that cannot be freed (append-only by attribute, removed by somebody) are its own trouble:
// what the others print is kept within its bound meanwhile.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createPuncher } from '../../agent/punch.ts';
import { realPorts } from '../../agent/system.ts';
import { capture, MEBIBYTE, prove } from './output-rig.ts';

it('a file that cannot be freed holds up nobody else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-alone-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const real = createPuncher(realPorts(), join(folder, 'said'));
  const { file, look, output } = capture(folder, {
    ...{ bytesMax: MEBIBYTE, bytesPerSecondMax: 1024 * MEBIBYTE },
    puncher: {
      ...real,
      punch: async (path, range) =>
        path.includes('/stuck/')
          ? { kind: 'failed', reason: 'Operation not permitted' }
          : await real.punch(path, range),
    },
  });
  mkdirSync(join(folder, 'stuck'));
  const stuck = join(folder, 'stuck', 'a.log');
  const line = (n: number): string =>
    `${new Date(1_795_000_000_000 + n).toISOString()} begin ${n} ${'x'.repeat(160)} end ${n}\n`;
  const lines = Array.from({ length: 10_000 }, (_, n) => line(n + 1)).join('');
  for (const path of [stuck, file]) writeFileSync(path, lines);
  output.tidy('stuck', stuck);
  await output.settled();
  expect(statSync(stuck).blocks * 512).toBeGreaterThan(MEBIBYTE);
  await look();
  expect(statSync(file).blocks * 512).toBeLessThan(MEBIBYTE);
  expect(prove(folder)).toMatchObject({ lastNumber: 10_000, holes: [{ reason: 'size' }] });
  output.stop();
});
