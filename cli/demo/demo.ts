// `tillwatch demo`: one broker and three real tills on this machine, a story of what breaks and heals, and
// an end that leaves nothing behind. Nothing is mocked: what is told was measured by the tills themselves
// and read from the broker's API. The order is: end what an earlier demo left, start, tell, stay, stop.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../client.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { styleFor } from '../screen.ts';
import { type Cashier, startCashier } from './cashier.ts';
import { type Children, createChildren } from './children.ts';
import { createEnding } from './ending.ts';
import { endEarlier } from './leftovers.ts';
import { dataDirOf, type Place, portFileOf, TILLS } from './plan.ts';
import { clearFolder, makePlace, startCentre, startTills } from './setup.ts';
import { stayUp } from './stay.ts';
import { agentDies, hardwareCrashes, onCallRestarts, saleHangs } from './step-heal.ts';
import { everythingUp, theFleet } from './step-up.ts';
import { stopEverything } from './stop.ts';
import { createTeller, type Teller } from './teller.ts';
import { watchEvents } from './watch.ts';
import type { Failure, Step, World } from './world.ts';

const READING_MS = 2_000;

const STORY: readonly Step[] = [
  everythingUp,
  saleHangs,
  hardwareCrashes,
  onCallRestarts,
  agentDies,
  theFleet,
];

export type DemoOptions = { readonly once: boolean; readonly json: boolean };

export async function runDemo(options: DemoOptions): Promise<Outcome> {
  if (process.platform !== 'linux') {
    return ended(EXIT.unavailable, 'the demo needs Linux: it tells processes apart by /proc');
  }
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const tell = createTeller(print, styleFor(process.stdout, process.env), options.json);
  const made = makePlace(join(process.cwd(), '.tillwatch'));
  if (!made.ok) return ended(EXIT.unavailable, made.reason);
  const place = made.value;
  const records = join(place.folder, 'processes.json');
  const earlier = await endEarlier(records, place.mark, (count) =>
    tell.say(`An earlier demo of this folder left ${count} processes: they are ended first.`),
  );
  if (earlier.left.length > 0) {
    const pids = earlier.left.map(({ pid }) => pid).join(', ');
    return ended(EXIT.unavailable, `an earlier demo cannot be ended, process ${pids}`);
  }
  clearFolder(place);
  const ending = createEnding();
  const children = createChildren({
    mark: place.mark,
    runRoot: place.runRoot,
    logDir: join(place.folder, 'logs'),
    recordsFile: records,
    onDeath: (name, how) => {
      if (!ending.signal.aborted) tell.say(`(${name} ended: ${how}; it is started again)`);
    },
  });
  const cashiers = new Map<string, Cashier>();
  try {
    return await play({ place, children, cashiers, tell, ending, options });
  } finally {
    // Also after a bug in the lines above: nothing that was started may stay.
    const left = await stopEverything({
      place,
      children,
      cashiers,
      tell,
      impatient: ending.impatient,
    });
    if (left > 0) process.exitCode = EXIT.failed;
    ending.close();
  }
}

type Stage = {
  readonly place: Place;
  readonly children: Children;
  readonly cashiers: Map<string, Cashier>;
  readonly tell: Teller;
  readonly ending: ReturnType<typeof createEnding>;
  readonly options: DemoOptions;
};

async function play(stage: Stage): Promise<Outcome> {
  const { place, children, cashiers, tell, ending, options } = stage;
  const startedMs = Date.now();
  const centre = await startCentre(place, children, ending.signal);
  if (!centre.ok) return interrupted(ending) ?? ended(EXIT.unavailable, centre.reason);
  const client = createClient({ url: centre.value.url, token: centre.value.token });
  const watch = watchEvents(client, ending.signal);
  try {
    welcome(tell, client, centre.value.mqttPort);
    const tills = await startTills(place, children, centre.value, ending.signal);
    if (!tills.ok) return interrupted(ending) ?? ended(EXIT.unavailable, tills.reason);
    for (const till of TILLS) {
      const portFile = portFileOf(dataDirOf(place, till, 'sale'), 'sale');
      cashiers.set(till.id, startCashier(till.id, portFile));
    }
    const signal = ending.signal;
    const world: World = {
      place,
      client,
      watch,
      tell,
      children,
      cashiers,
      signal,
      startedMs,
    };
    const failed = await tellStory(world, options.once);
    if (options.once || ending.signal.aborted) {
      if (failed !== undefined) return interrupted(ending) ?? ended(EXIT.failed, failed);
      return done;
    }
    await stayUp(world);
    return done;
  } finally {
    watch.close();
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

/** @returns what failed, for the last line on the screen */
async function tellStory(world: World, once: boolean): Promise<Failure> {
  let failed: Failure;
  for (const [at, step] of STORY.entries()) {
    // Time to read, unless nobody does.
    if (!once && at > 0) await pause(READING_MS, world.signal);
    if (world.signal.aborted) return 'the story was interrupted';
    world.tell.heading(step.title);
    const failure = await step.run(world);
    if (failure === undefined) continue;
    if (world.signal.aborted) return 'the story was interrupted';
    world.tell.bad(failure);
    failed ??= `step ${at + 1} (${step.title}) failed: ${failure}; logs are in .tillwatch/logs`;
    if (once) return failed;
  }
  return failed;
}

/** Somebody ended it before it could even start: that is no failure of a part. */
const interrupted = (ending: Stage['ending']): Outcome | undefined =>
  ending.signal.aborted ? ended(EXIT.failed, 'ended before it was up') : undefined;

function welcome(tell: Teller, client: Client, mqttPort: number): void {
  tell.say('Tillwatch: one broker, three real tills on this machine, nothing mocked.');
  tell.lines([
    '',
    `fleet     ${client.url}  (MQTT on port ${mqttPort})`,
    'files     .tillwatch, with logs in .tillwatch/logs',
    'times     seconds since the fault; every till stamps its own events, and they',
    '          are read from the broker: GET /api/v1/events',
  ]);
}
