// The few deeds on disk of the fleet's documents that are more than writing one small file: what was on trial becomes the
// good one, and the good one before it stays as well. Each is one rename of a whole file, followed by a sync of the
// folder [rename(2), fsync(2)], so that after a power cut there is the old state or the new one.

import { link, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { codeOf } from './files.ts';

async function sync(folder: string): Promise<void> {
  const file = await open(folder, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function keepBefore(folder: string, good: string, previous: string): Promise<void> {
  const name = join(folder, `${previous}.new`);
  await rm(name, { force: true });
  try {
    await link(join(folder, good), name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  await rename(name, join(folder, previous));
}

/** `from` becomes `good`; what was good is `previous`. Never without a good one in between. */
export async function promoteFile(
  folder: string,
  { from, good, previous }: Readonly<Record<'from' | 'good' | 'previous', string>>,
): Promise<Result<void>> {
  try {
    await keepBefore(folder, good, previous);
    await rename(join(folder, from), join(folder, good));
    await sync(folder);
    return ok(undefined);
  } catch (error) {
    return fail(`the configuration that was tried cannot be kept: ${codeOf(error)}`);
  }
}

/** For a look at it by a person; the newest of that name stays. */
export async function setAside(folder: string, name: string): Promise<void> {
  try {
    await rename(join(folder, name), join(folder, `${name}.damaged`));
  } catch {
    // It lies where it lay, and is as damaged the next time.
  }
}
