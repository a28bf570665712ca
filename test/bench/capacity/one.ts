// One size of a fleet at shipped settings: its stores, targets and configuration are set up by the command line as a person
// would, then its terminals come, are measured for a minute, and come again after a restart of the broker.

import { resolve } from 'node:path';
import { storesFile } from '../../../agent/simulated/stores.ts';
import { simulatedTerminals } from '../../../agent/simulated/terminals.ts';
import { measurePressure, round, sleep, spread, until } from '../harness.ts';
import { type Part, startPart } from '../ingest/part.ts';
import { Centre } from './centre.ts';
import { eventBytes, sizesOf } from './growth.ts';
import { trafficOf } from './network.ts';

/** The simulator connects 200 a second (agent/simulated/fleet.ts); a starved machine takes longer. */
const CONNECTS_PER_SECOND = 50;
const FIRST_MS_MAX = 60_000;
/** Introductions and components that become ready are over by then. */
const SETTLE_MS = 15_000;
const FLEET_ASKED = 11;
const LIST_ASKED = 40;
const DAY_SECONDS = 86_400;
const MIB = 2 ** 20;

const DOCUMENT = `mode: act
sampling: { everyMs: 15000, sendMs: 60000 }
components:
  - { name: hardware, command: [/opt/till/hardware], version: 3.1.2 }
  - { name: sale, command: [/opt/till/sale], version: 2.5.0, after: [hardware] }
  - { name: sync, command: [/opt/till/sync], version: 1.8.0, after: [sale] }
`;

export type Figures = Readonly<Record<string, number>>;
export type Measured = { readonly figures: Figures; readonly notes: readonly string[] };

/** What a fleet has that is looked after. @returns what could not be set up. */
async function setUp(centre: Centre, terminals: number): Promise<string[]> {
  const why = ['--reason', 'capacity is measured'];
  const stores = centre.write('stores.yaml', storesFile(simulatedTerminals(terminals)));
  const document = centre.write('tills.yaml', DOCUMENT);
  const verbs: string[][] = [
    ['stores', 'apply', stores, '--yes', ...why],
    ['target', 'set', 'sale', '2.5.0', '--all', '--yes', ...why],
    ['target', 'set', 'sale', '2.4.1', '--region', 'north', '--yes', ...why],
    // Nobody is there yet: it is released as it is, and who comes gets it.
    ['config', 'apply', 'tills', document, '--all', '--count', '0', ...why],
  ];
  const notes: string[] = [];
  for (const verb of verbs) {
    const ran = await centre.verb(...verb);
    const said = ran.out.trim().split('\n').at(-1) ?? '';
    if (!ran.ok) notes.push(`tillwatch ${verb.slice(0, 2).join(' ')} failed: ${said}`);
  }
  return notes;
}

const online = (centre: Centre): Promise<number> =>
  centre.figure(/^pos_terminals\{presence="online"\} /);

/** Of a real year's terminals a few are always without line or power. */
const LIVE_SHARE = 0.99;

const allOnline = (centre: Centre, terminals: number): Promise<true> =>
  until(
    `${terminals} terminals are there`,
    async () => {
      const [now, connected] = await Promise.all([
        online(centre).catch(() => 0),
        centre.figure(/^tillwatch_broker_connections /).catch(() => 0),
      ]);
      const enough = Math.floor(terminals * LIVE_SHARE);
      return now >= enough && connected >= enough ? true : undefined;
    },
    FIRST_MS_MAX + (terminals / CONNECTS_PER_SECOND) * 1_000,
    500,
  );

async function asked(centre: Centre) {
  const fleetMs: number[] = [];
  const listMs: number[] = [];
  const wholeMs: number[] = [];
  for (let n = 0; n < FLEET_ASKED; n += 1) {
    const ran = await centre.verb('fleet');
    if (!ran.ok) throw new Error(`tillwatch fleet: ${ran.out}`);
    fleetMs.push(ran.tookMs);
  }
  for (let n = 0; n < LIST_ASKED; n += 1) {
    listMs.push((await centre.get('terminals')).tookMs);
    if (n % 4 === 0) wholeMs.push((await centre.get('terminals?limit=1000')).tookMs);
  }
  const [fleet, list, whole] = [spread(fleetMs), spread(listMs), spread(wholeMs)];
  return {
    ...{ fleetMsP50: fleet.p50, fleetMsP95: fleet.p95 },
    ...{ listMsP50: list.p50, listMsP95: list.p95, list1000MsP95: whole.p95 },
  };
}

/** The window in which nothing is asked but what is measured. */
async function steady(centre: Centre, simulator: Part, seconds: number): Promise<Figures> {
  const at = async () => ({
    ms: performance.now(),
    cpu: centre.broker.cpuSeconds(),
    simulated: simulator.cpuSeconds(),
    batches: await centre.figure(/^tillwatch_ingest_batches_total\{.*result="new"/),
    samples: await centre.figure(/^tillwatch_ingest_samples_total/),
    sizes: sizesOf(centre.dataDir),
    traffic: trafficOf(centre.facts.mqttPort),
  });
  const from = await at();
  await sleep(seconds * 1_000);
  const to = await at();
  const took = (to.ms - from.ms) / 1_000;
  const perDay = (before = 0, after = 0): number =>
    Math.round((((after - before) / took) * DAY_SECONDS) / MIB);
  return {
    cores: round((to.cpu - from.cpu) / took),
    residentMib: Math.round(centre.broker.residentBytes() / MIB),
    batchesPerSecond: round((to.batches - from.batches) / took),
    samplesPerSecond: Math.round((to.samples - from.samples) / took),
    ledgerMibPerDay: perDay(from.sizes.ledger, to.sizes.ledger),
    registryMib: round(to.sizes.registry / MIB),
    registryBytesPerEvent: eventBytes(centre.dataDir),
    inMibPerDay: perDay(from.traffic?.received, to.traffic?.received),
    outMibPerDay: perDay(from.traffic?.sent, to.traffic?.sent),
    simulatorCores: round((to.simulated - from.simulated) / took),
  };
}

export async function measure(terminals: number, seconds: number): Promise<Measured> {
  const centre = await Centre.open();
  let simulator: Part | undefined;
  try {
    const notes = await setUp(centre, terminals);
    const fleet = ['--terminals', `${terminals}`, '--broker'];
    const where = [`127.0.0.1:${centre.facts.mqttPort}`, '--command-key', centre.commandKey()];
    const simulate = [resolve('dist/simulate.mjs'), ...fleet, ...where, '--exit-with-parent'];
    simulator = startPart([process.execPath, ...simulate]);
    const comingMs = performance.now();
    await allOnline(centre, terminals);
    const cameSeconds = round((performance.now() - comingMs) / 1_000);
    await sleep(SETTLE_MS);
    const pressure = measurePressure();
    const still = await steady(centre, simulator, seconds);
    const busy = pressure();
    const answers = await asked(centre);
    const behind = await centre.figure(/^pos_terminals_config_behind/);
    const stoppedMs = performance.now();
    await centre.broker.end();
    const readyMs = await centre.start();
    await allOnline(centre, terminals);
    const backSeconds = round((performance.now() - stoppedMs) / 1_000);
    const figures = {
      ...{ terminals, stores: new Set(simulatedTerminals(terminals).map((t) => t.store)).size },
      ...{ ...still, ...answers, cameSeconds },
      ...{ restartReadySeconds: round(readyMs / 1_000), restartAllLiveSeconds: backSeconds },
      ...{ residentAfterRestartMib: Math.round(centre.broker.residentBytes() / MIB) },
      ...{ waitedForProcessorPercent: busy, configurationBehind: behind },
    };
    return { figures, notes: notes.map((note) => `${terminals} terminals: ${note}`) };
  } finally {
    await simulator?.end();
    await centre.close();
  }
}
