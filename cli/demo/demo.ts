// `tillwatch demo`: one broker and three real tills on this machine, simulated ones beside them, a story of what breaks and heals, and
// an end that leaves nothing behind. Nothing is mocked: what is told was measured by the tills themselves
// and read from the broker's API. The order is: end what an earlier demo left, start, tell, stay, stop.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural, styleFor } from '../screen.ts';
import { type Cashier, startCashier } from './cashier.ts';
import { type Children, createChildren } from './children.ts';
import { claim } from './claim.ts';
import { createEnding, type Ending } from './ending.ts';
import { endEarlier, readRecords } from './leftovers.ts';
import { dataDirOf, type Place, portFileOf, TILLS } from './plan.ts';
import {
  clearFolder,
  makeHome,
  makePlace,
  markOf,
  startCentre,
  startSimulated,
  startTills,
} from './setup.ts';
import { stayUp } from './stay.ts';
import { configurationBreaks } from './step-configure.ts';
import { agentDies, hardwareCrashes, onCallRestarts, saleHangs } from './step-heal.ts';
import { logsPulled } from './step-logs.ts';
import { paperEnds, receiptPrints } from './step-paper.ts';
import { scannerDrops } from './step-scanner.ts';
import { everythingUp, theFleet } from './step-up.ts';
import { processes, stopEverything } from './stop.ts';
import { applyStores } from './stores.ts';
import { createTeller, type Teller } from './teller.ts';
import { watchEvents } from './watch.ts';
import type { Failure, Step, World } from './world.ts';

const READING_MS = 2_000;
/** For a demo that is ending in a window just closed. */
const CLAIM_MS_MAX = 3_000;
const RECORDS = 'processes.json';
const FILE_TROUBLE = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'EIO'];

const STORY: readonly Step[] = [
  everythingUp,
  saleHangs,
  hardwareCrashes,
  onCallRestarts,
  agentDies,
  receiptPrints,
  paperEnds,
  scannerDrops,
  logsPulled,
  configurationBreaks,
  theFleet,
];

export type DemoOptions = {
  readonly once: boolean;
  readonly json: boolean;
  /** How many simulated terminals stand beside the real ones. */
  readonly simulated: number;
};

export async function runDemo(options: DemoOptions): Promise<Outcome> {
  if (process.platform !== 'linux') {
    return ended(EXIT.unavailable, 'the demo needs Linux: it tells processes apart by /proc');
  }
  const ending = createEnding();
  let release: (() => void) | undefined;
  try {
    const home = makeHome(process.cwd());
    release = await claim(markOf(home), CLAIM_MS_MAX);
    if (release === undefined) return alreadyRuns(home);
    const outcome = await runIn(home, options, ending);
    if (ending.bug() !== undefined) throw ending.bug();
    return outcome;
  } catch (error) {
    const reason = fileTrouble(error);
    if (reason === undefined) throw error;
    return ended(EXIT.unavailable, `the demo cannot keep its files: ${reason}`);
  } finally {
    release?.();
    ending.close();
  }
}

/** What a person can mend: no room, no permission, no such folder. */
function fileTrouble(error: unknown): string | undefined {
  const { code = '', syscall, message } = error as NodeJS.ErrnoException;
  // A folder that is gone is every verb's trouble and told in one place.
  return FILE_TROUBLE.includes(code) && syscall !== 'uv_cwd' ? message : undefined;
}

function alreadyRuns(home: string): Outcome {
  const pid = readRecords(join(home, RECORDS))?.demo.pid;
  const who = pid === undefined ? '' : ` (process ${pid})`;
  const how = pid === undefined ? '' : `, or with: kill ${pid}`;
  return ended(
    EXIT.unavailable,
    `a demo of this folder runs already${who}: end it first, with Ctrl-C in its window${how}`,
  );
}

async function runIn(home: string, options: DemoOptions, ending: Ending): Promise<Outcome> {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const tell = createTeller(print, styleFor(process.stdout, process.env), options.json);
  const recordsFile = join(home, RECORDS);
  const earlier = await endEarlier(recordsFile, markOf(home), (count) =>
    tell.say(`An earlier demo of this folder left ${processes(count)}: ended first.`),
  );
  if (earlier.left.length > 0) {
    const pids = earlier.left.map(({ pid }) => pid).join(', ');
    return ended(EXIT.unavailable, `an earlier demo cannot be ended, process ${pids}`);
  }
  const place = makePlace(home);
  const children = createChildren({
    mark: place.mark,
    runRoot: place.runRoot,
    logDir: join(home, 'logs'),
    recordsFile,
    onDeath: (name, how) => {
      if (!ending.signal.aborted) tell.say(`(${name} ended: ${how}; it is started again)`);
    },
  });
  const cashiers = new Map<string, Cashier>();
  try {
    clearFolder(place);
    return await play({ place, children, cashiers, tell, ending, options });
  } finally {
    // Also after a bug in the lines above: nothing that was started may stay.
    const { impatient } = ending;
    const left = await stopEverything({ place, children, cashiers, tell, impatient });
    if (left > 0) process.exitCode = EXIT.failed;
  }
}

type Stage = {
  readonly place: Place;
  readonly children: Children;
  readonly cashiers: Map<string, Cashier>;
  readonly tell: Teller;
  readonly ending: Ending;
  readonly options: DemoOptions;
};

async function play(stage: Stage): Promise<Outcome> {
  const { place, children, cashiers, tell, ending, options } = stage;
  const startedMs = Date.now();
  const centre = await startCentre(place, children, ending.signal);
  if (!centre.ok) return interrupted(ending) ?? ended(EXIT.unavailable, centre.reason);
  const { client } = centre.value;
  const watch = watchEvents(client, ending.signal);
  try {
    welcome(tell, client, centre.value.mqttPort, options.simulated);
    const stores = await applyStores(client, options.simulated);
    if (!stores.ok) return interrupted(ending) ?? ended(EXIT.unavailable, stores.reason);
    const tills = await startTills(place, children, centre.value, ending.signal);
    if (!tills.ok) return interrupted(ending) ?? ended(EXIT.unavailable, tills.reason);
    const simulated = await startSimulated(place, children, centre.value, options.simulated);
    if (!simulated.ok) return interrupted(ending) ?? ended(EXIT.unavailable, simulated.reason);
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
    if (options.once) return failed === undefined ? done : ended(EXIT.failed, failed);
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

function welcome(tell: Teller, client: Client, mqttPort: number, simulated: number): void {
  tell.say('Tillwatch: one broker, three real tills on this machine, nothing mocked.');
  if (simulated > 0) {
    tell.say(
      `Beside them ${plural(simulated, 'simulated till')}, named sim-...: one process that speaks ` +
        'the same wire and has faults of its own. What is told below is of the real ones.',
    );
  }
  tell.lines([
    '',
    `fleet     ${client.url}  (MQTT on port ${mqttPort})`,
    'trust     an authority of its own; every till enrols, commands are signed',
    'files     .tillwatch, with logs in .tillwatch/logs',
    'times     seconds since the fault; every till stamps its own events, and they',
    '          are read from the broker: GET /api/v1/events',
  ]);
}
