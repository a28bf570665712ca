// Programs that are not from npm: a test that needs one and does not find it says so by name, and fails
// where TILLWATCH_REQUIRE=all promises that they are there (design.md section 8).

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

function isThere(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param from the Debian package that has it. */
export function need(context: TestContext, program: string, from: string): void {
  if (isThere(program)) return;
  const why = `${program} is not installed: apt-get install ${from}`;
  if (process.env['TILLWATCH_REQUIRE'] === 'all') throw new Error(why);
  context.skip(why);
}
