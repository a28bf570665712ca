// Copies of our components under a run directory that is no longer the configured one: their records lie where nobody
// looks any more, and a second copy would be started beside them. They are known by the data directory, which every
// component has as a mark and which only one agent can hold. They are ended, not adopted: the socket on which they
// beat is not the one that we listen on, so as ours they would look hung.

import { type Context, delay, placeOf } from './hands.ts';
import { askToEnd, isAlive } from './identity.ts';
import { findMarked, lifeByInstance } from './locate.ts';
import { environValue } from './proc.ts';
import { INSTANCE_MARK, killTree } from './tree.ts';

/** The data directory of the agent that started it. */
export const DATA_MARK = 'TILLWATCH_DATA';
/** For what it asks of its disk; longer, the till would wait for it at every start. */
const STOPPING_WAIT_MS_MAX = 3_000;
const LOOK_MS = 20;

type Stray = { readonly instance: string; readonly component: string };

function findStrays({ ports, watches, runDir, dataDir }: Context): Stray[] {
  if (dataDir === undefined) return [];
  const { socketPath } = placeOf({ runDir }, '');
  // The same folder can have two names; what was found by its record there is no stray.
  const adopted = new Set([...watches.values()].map(({ life }) => life.instance));
  const found = new Map<string, Stray>();
  const isStray = (environ: string): boolean =>
    environValue(environ, DATA_MARK) === dataDir &&
    environValue(environ, 'TILLWATCH_SOCKET') !== socketPath;
  for (const { environ } of findMarked(ports, isStray)) {
    const instance = environValue(environ, INSTANCE_MARK) ?? '';
    const component = environValue(environ, 'TILLWATCH_COMPONENT') ?? '';
    if (instance !== '' && !adopted.has(instance)) found.set(instance, { instance, component });
  }
  return [...found.values()];
}

async function endStray(context: Context, { instance, component }: Stray): Promise<void> {
  const { ports, log } = context;
  const life = lifeByInstance(ports, placeOf(context, component), instance);
  if (life === undefined) return;
  const { pid } = life;
  log.warn(`${component} runs under another run directory: it is ended`, { component, pid });
  askToEnd(ports, life);
  const untilMs = ports.clock.monotonicMs() + STOPPING_WAIT_MS_MAX;
  while (isAlive(ports, life.main) && ports.clock.monotonicMs() < untilMs) {
    await delay(ports, LOOK_MS);
  }
  await killTree(ports, life);
}

/** Once, after everything was adopted that is to be and before anything is started. */
export const endStrays = async (context: Context): Promise<void> => {
  await Promise.all(findStrays(context).map((stray) => endStray(context, stray)));
};
