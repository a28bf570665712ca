// Files of answers while many terminals answer at once.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openLogFiles } from '../../broker/logs/files.ts';
import { LOG_TERMINALS_MAX } from '../../protocol/limits.ts';

it('are not read from their beginning at each chunk, however many there are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-log-files-'));
  const files = openLogFiles(folder);
  const ids = Array.from({ length: LOG_TERMINALS_MAX }, (_, at) => `answer-${at}`);
  for (const id of ids) files.append(id, 0, Buffer.from('the first line\n'));
  // Who reads it again finds something else.
  for (const id of ids) writeFileSync(join(folder, `${id}.log`), 'T', { flag: 'r+' });
  for (const id of ids) files.append(id, 15, Buffer.from('the second\n'));
  const whole = createHash('sha256').update('the first line\nthe second\n').digest('hex');
  const digests = ids.map((id) => files.digest(id, 26).toString('hex'));
  expect(digests.filter((digest) => digest !== whole)).toEqual([]);
  files.close();
  rmSync(folder, { recursive: true });
});
