// The command line in this process: what it prints is kept instead of shown.

import { vi } from 'vitest';
import { run } from '../../cli/tillwatch.ts';

/** Whoever calls it restores the mocks when a test ends (vi.restoreAllMocks). */
export async function tillwatch(...argv: string[]) {
  const wrote = { out: '', err: '' };
  for (const [name, stream] of [
    ['out', process.stdout],
    ['err', process.stderr],
  ] as const) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      wrote[name] += String(text);
      return true;
    });
  }
  return { exit: await run(argv), ...wrote };
}
