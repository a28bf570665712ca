// Apart from outbox-rig.ts, which processes of their own use as well: vitest is only there within a test.

import { afterEach, beforeEach } from 'vitest';
import { type FakeClock, fakeClock, makeFolder } from './outbox-rig.ts';

/** A folder and a clock of its own for each test of a file; `make`: where the folder is. */
export function freshForEach(make = makeFolder): {
  folder: { readonly path: string };
  clock: FakeClock;
} {
  let made: ReturnType<typeof makeFolder>;
  let current: FakeClock;
  beforeEach(() => {
    made = make();
    current = fakeClock();
  });
  afterEach(() => made.remove());
  const clock: FakeClock = {
    monotonicMs: () => current.monotonicMs(),
    wallMs: () => current.wallMs(),
    pass: (ms) => current.pass(ms),
    jump: (ms) => current.jump(ms),
  };
  const folder = {
    get path() {
      return made.path;
    },
  };
  return { folder, clock };
}
