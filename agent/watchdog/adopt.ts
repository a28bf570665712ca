// Takes over what an earlier agent of this boot started, by record, pid file or mark (locate.ts), or tells how
// it ended while nobody watched. Nothing here starts or stops a component that works: that an agent was
// killed and restarted must not be seen by the cashier.

import type { Life } from './end-watch.ts';
import { type Context, delay, newRecord, pidsOf, placeOf, sweepLeftovers, watch } from './hands.ts';
import { askToEnd, isAlive } from './identity.ts';
import { type Found, lifeByInstance, locate, type Place } from './locate.ts';
import { readRecord, writeRecord } from './record.ts';
import type { Exit } from './shim.ts';
import { killTree } from './tree.ts';

/** Until a shim that an earlier agent started just before it was killed gets on. */
const STARTING_WAIT_MS_MAX = 2_000;
/** What is left of the grace that it was given; longer, the tills would wait for it at each start. */
const STOPPING_WAIT_MS_MAX = 3_000;
const LOOK_MS = 20;

export type Adopted = {
  readonly life: Life;
  readonly wasReady: boolean;
  readonly turns?: boolean | undefined;
};

/** It ended unwatched; its version is not always the one that is configured by now. */
export type Died = { readonly exited: Exit; readonly version?: string | undefined };

async function settleStart(context: Context, place: Place): Promise<Found> {
  const { ports } = context;
  const untilMs = ports.clock.monotonicMs() + STARTING_WAIT_MS_MAX;
  let found = locate(ports, place);
  while (found.kind === 'starting' && ports.clock.monotonicMs() < untilMs) {
    await delay(ports, LOOK_MS);
    found = locate(ports, place);
  }
  if (found.kind !== 'starting') return found;
  // No pid file will come any more: the shim was killed between start and note, or never got so far.
  const life = lifeByInstance(ports, place, found.record.instance);
  if (life !== undefined) return { kind: 'alive', life, wasReady: false };
  await sweepLeftovers(context, place);
  return { kind: 'none' };
}

/** The agent before asked it to stop and did not live to see it: a new life begins only after that. */
async function finishStop({ ports }: Context, life: Life): Promise<void> {
  const untilMs = ports.clock.monotonicMs() + STOPPING_WAIT_MS_MAX;
  while (isAlive(ports, life.main) && ports.clock.monotonicMs() < untilMs) {
    await delay(ports, LOOK_MS);
  }
  await killTree(ports, life);
}

export async function adopt(
  context: Context,
  component: string,
  onExit: (exit: Exit) => void,
): Promise<Adopted | Died | undefined> {
  const place = placeOf(context, component);
  const found = await settleStart(context, place);
  if (found.kind === 'ended') {
    writeRecord(context.ports.files, place.dir, { ...found.record, phase: 'ended' });
    return found.record.asked ? undefined : { exited: found.exit, version: found.record.version };
  }
  if (found.kind !== 'alive') return undefined;
  if (found.asked) {
    await finishStop(context, found.life);
    const { files } = context.ports;
    const record = readRecord(files, place.dir);
    // Somebody may have started it since: without its record that life would be started a second time.
    const isOther = typeof record === 'object' && record.instance !== found.life.instance;
    const ended = { ...newRecord(found.life, context.ports), phase: 'ended' } as const;
    if (!isOther) writeRecord(files, place.dir, ended);
    return undefined;
  }
  const { life, wasReady, turns } = found;
  const pids = pidsOf(life);
  const running = { phase: 'running', ready: wasReady, turns, pids } as const;
  const { startedMs } = life;
  const record = { ...newRecord(life, context.ports), ...running, startedMs };
  writeRecord(context.ports.files, place.dir, record);
  watch(context, life, onExit);
  return { life, wasReady, turns };
}

/** Ends what an earlier configuration had started under a name that the present one does not have. */
export async function retire(context: Context, component: string): Promise<void> {
  const place = placeOf(context, component);
  const found = await settleStart(context, place);
  if (found.kind === 'none') return;
  if (found.kind === 'alive') {
    const { life } = found;
    const fields = { component, pid: life.pid };
    context.log.warn(`${component} is no longer configured: it is ended`, fields);
    askToEnd(context.ports, life);
    await finishStop(context, life);
  }
  const record = readRecord(context.ports.files, place.dir);
  if (typeof record !== 'object') return;
  writeRecord(context.ports.files, place.dir, { ...record, phase: 'ended' });
}
