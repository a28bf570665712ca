// Everything that carries the marks of one component of this run directory, of whichever of its lives: what a drill
// leaves behind is counted by it, and what an agent that was killed in a drill left is ended by it. Not for
// components in service: those are ended life by life (tree.ts), by who belongs to whom.

import { type Context, delay, placeOf } from './hands.ts';
import { identify, signalIdentity } from './identity.ts';
import { findMarked } from './locate.ts';
import { environValue } from './proc.ts';
import { INSTANCE_MARK } from './tree.ts';

const ROUNDS_MAX = 40;
const ROUND_MS = 50;

/** A process that forks while it is looked for is found in the next round. */
export function markedPids(context: Context, component: string, exceptInstance?: string): number[] {
  const { socketPath } = placeOf(context, component);
  const isMarked = (environ: string): boolean =>
    environValue(environ, 'TILLWATCH_COMPONENT') === component &&
    environValue(environ, 'TILLWATCH_SOCKET') === socketPath &&
    (exceptInstance === undefined || environValue(environ, INSTANCE_MARK) !== exceptInstance);
  return findMarked(context.ports, isMarked).map(({ stat }) => stat.pid);
}

export async function endMarked(context: Context, component: string): Promise<number[]> {
  const { ports } = context;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const pids = markedPids(context, component);
    if (pids.length === 0) return [];
    for (const pid of pids) signalIdentity(ports, identify(ports, pid), 'SIGKILL');
    await delay(ports, ROUND_MS);
  }
  return markedPids(context, component);
}
