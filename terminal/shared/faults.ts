// The fault switch for drills: makes this very process hang, deadlock, spin, exit, throw or leak, so that a
// watchdog's care can be seen and measured on the real thing. It exists only with POS_FAULTS=1; without
// it the route is not there at all.

import * as v from 'valibot';
import { answer, type Route, withBody } from './http.ts';
import type { Log } from './log.ts';

export const FAULTS = ['hang', 'deadlock', 'spin', 'exit', 'throw', 'leak'] as const;
export type Fault = (typeof FAULTS)[number];

const LEAK_STEP_BYTES = 4 * 1024 * 1024;
const LEAK_EVERY_MS = 100;
/** A drill must not take the machine with it. */
const LEAK_BYTES_MAX = 1024 * 1024 * 1024;
const EXIT_CODE = 3;

function leak(): void {
  const held: Buffer[] = [];
  const timer = setInterval(() => {
    held.push(Buffer.alloc(LEAK_STEP_BYTES, 1));
    if (held.length * LEAK_STEP_BYTES >= LEAK_BYTES_MAX) clearInterval(timer);
  }, LEAK_EVERY_MS);
}

const ACTS: Readonly<Record<Fault, () => void>> = {
  /** Busy for ever without allocating: no system call, no switch of its own will. */
  hang: () => {
    for (;;);
  },
  /** Waits for something that never comes; uses no processor. */
  deadlock: () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  /** Busy and allocating: collections make it switch more often than a healthy process. */
  spin: () => {
    let chain: unknown[] = [];
    for (let turn = 0; ; turn += 1) chain = turn % 10_000 === 0 ? [] : [chain, { turn }];
  },
  exit: () => process.exit(EXIT_CODE),
  throw: () => {
    throw new Error('a drill threw this');
  },
  leak,
};

export const faultRoute = (log: Log): Route => ({
  method: 'POST',
  path: '/fault',
  run: withBody(
    v.strictObject({ kind: v.picklist(FAULTS, `use one of ${FAULTS.join(', ')}`) }),
    ({ kind }) => {
      log.warn('a drill begins', { kind });
      return {
        ...answer(202, { kind }),
        // Not in the callback itself: the answer must have left, and a throw must reach the process.
        after: () => setImmediate(ACTS[kind]),
      };
    },
  ),
});
