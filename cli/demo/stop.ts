// Ends everything that the demo started, in order: cashiers put down their work, tills stop their
// components in reverse order, then printers, head office and broker. What does not end in time is killed,
// and at last it is looked, by mark and not by memory, whether anything is left.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cashier } from './cashier.ts';
import type { Children } from './children.ts';
import { findMarked } from './identity.ts';
import { killMarked, removeRunRoot } from './leftovers.ts';
import type { Place } from './plan.ts';
import type { Teller } from './teller.ts';

const TILLS_MS_MAX = 10_000;
const REST_MS_MAX = 5_000;

type Parts = {
  readonly place: Place;
  readonly children: Children;
  readonly cashiers: ReadonlyMap<string, Cashier>;
  readonly tell: Teller;
  /** Somebody does not want to wait: everything is killed at once. */
  readonly impatient: AbortSignal;
};

export const processes = (count: number): string =>
  count === 1 ? 'one process' : `${count} processes`;

/** @returns how many processes could not be ended */
export async function stopEverything(parts: Parts): Promise<number> {
  const { place, children, cashiers, tell } = parts;
  const count = findMarked(place.mark).length;
  const startedMs = performance.now();
  if (count > 0) {
    tell.lines(['']);
    tell.say(`Stopping ${processes(count)}: tills first, then the centre.`);
  }
  await Promise.race([inOrder(children, cashiers), aborted(parts.impatient)]);
  const stubborn = findMarked(place.mark);
  const left = await killMarked(place.mark);
  removeRunRoot(place.runRoot);
  // The token of a broker that is gone must not be sent to whatever listens there next.
  rmSync(join(place.folder, 'operator.json'), { force: true });
  if (stubborn.length > 0) tell.say(`${stubborn.length} of them had to be killed.`);
  if (left.length > 0) {
    tell.bad(`still running: process ${left.map(({ pid }) => pid).join(', ')}`);
  } else if (count > 0) {
    tell.at(performance.now() - startedMs, 'all of them have ended; no process is left');
  }
  return left.length;
}

async function inOrder(children: Children, cashiers: ReadonlyMap<string, Cashier>): Promise<void> {
  await Promise.all([...cashiers.values()].map((cashier) => cashier.stop()));
  const names = children.names();
  const agents = names.filter((name) => name.startsWith('agent-'));
  // SIGINT: an agent stops its components before it ends (design.md section 4, Processes).
  await children.stop(agents, 'SIGINT', TILLS_MS_MAX);
  const others = names.filter((name) => !name.startsWith('agent-') && name !== 'broker');
  await children.stop(others, 'SIGTERM', REST_MS_MAX);
  await children.stop(['broker'], 'SIGTERM', REST_MS_MAX);
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
