// Evidence on a disk of 128 KiB, and on one that becomes read-only: a counter and not an error, no half bundle, and room
// again as soon as some is made. In a mount namespace of its own, so that no other process sees the disk.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { need } from './parts.ts';

function canMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it('is bounded by a full and by a read-only disk without an error', (context) => {
  need(context, 'unshare', 'util-linux');
  if (!canMount()) {
    if (process.env['TILLWATCH_REQUIRE'] === 'all') throw new Error('unshare -m is not permitted');
    context.skip('unshare -m is not permitted here');
  }
  const disk = mkdtempSync(join(tmpdir(), 'tw-disk-'));
  try {
    const script = 'mount -t tmpfs -o size=128k none "$1" && exec "$2" "$3" "$1"';
    const child = resolve('test/long/evidence-disk-child.ts');
    const args = ['-m', 'sh', '-c', script, 'sh', disk, process.execPath, child];
    const text = execFileSync('unshare', args, { encoding: 'utf8', timeout: 60_000 });
    const [full, shed, readOnly] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(full).toMatchObject({ phase: 'full', warned: ['ENOSPC'] });
    expect(full.whole).toBe(full.files);
    expect(full.files).toBeGreaterThan(3);
    expect(full.files + full.dropped).toBe(10);
    expect(shed.files).toBe(2);
    expect(readOnly).toMatchObject({ files: 2, whole: 2, bundles: 2 });
    expect(readOnly.dropped).toBe(shed.dropped + 3);
    expect(readOnly.warned).toEqual(['ENOSPC', 'EROFS']);
  } finally {
    rmSync(disk, { recursive: true, force: true });
  }
});
