// Exactly once, counted. Ten real tills tell a real broker, and it a real Prometheus and a real
// VictoriaMetrics, while agents, broker and databases are killed at random, lines are cut, delayed and halved,
// the ledger runs full, one till's clock goes a day ahead and another's to 1970. The truth is kept by a
// witness that numbers what the agents read; TILLWATCH_SEED repeats a run's choices, TILLWATCH_CHAOS_MS its length.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { until } from '../real/agent-rig.ts';
import { openBench, type Running } from '../real/broker-rig.ts';
import { type Database, Prometheus, type Raw, VictoriaMetrics } from './exactly-once/databases.ts';
import {
  type Book,
  judgeCounters,
  judgeNumbers,
  judgeSame,
  lacking,
} from './exactly-once/judge.ts';
import { MODES } from './exactly-once/relay.ts';
import { type Away, tell } from './exactly-once/story.ts';
import { FAKETIME, Till } from './exactly-once/tills.ts';
import { Witness } from './exactly-once/witness.ts';
import { need } from './parts.ts';

const CHAOS_MS = Number(process.env['TILLWATCH_CHAOS_MS'] ?? 75_000);
/** Both databases away for so long, and until the ledger is full: a starved machine gets less done. */
const OUTAGE_MS = CHAOS_MS * 0.6;
const OUTAGE_MORE_MS = 120_000;
/**
 * A ledger that is full at the end has room after half a minute, and what it did not take comes
 * again after 30 s, and after another minute; on a starved machine all that takes longer.
 */
const SETTLE_MS = 240_000;
/** Of a sample's time, which is its agent's. */
const TIMES_OFF_MS = 5_000;
/** Half a minute of these tills, which a sink's cursor trails by, is half of it. */
const LEDGER_BYTES = 1.75 * 1024 * 1024;

const seed = Number(process.env['TILLWATCH_SEED'] ?? Date.now() % 1_000_000);
let state = seed;
const random = (): number => {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return state / 2 ** 31;
};
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

const bench = openBench();
const witness = new Witness();
const prometheus = new Prometheus(join(bench.dir, 'prometheus'));
const victoria = new VictoriaMetrics(join(bench.dir, 'victoria'));
const databases: readonly Database[] = [prometheus, victoria];
let broker: Running;
let configuration = '';
const brokerAway: Away[] = [];
const tills = Array.from(
  { length: 10 },
  (_, index) => new Till(`lane-${index + 1}`, witness, () => broker.mqttPort, random),
);
/** Apart, so that how often a component crashed is known without asking an agent that is dead. */
const crashing = tills.filter((_, index) => index % 2 === 0);
const mortal = tills.filter((_, index) => index % 2 === 1);
const startedMs = Date.now();

const configure = (mqtt: number, http: number): string =>
  bench.write(`dataDir: data
plainText: true
mqtt: { port: ${mqtt} }
http: { port: ${http} }
terminals: ${JSON.stringify(tills.map(({ id }) => ({ id, store: 'store-1' })))}
retention: { ledger: { bytesMax: ${LEDGER_BYTES} } }
sinks: { remoteWrite: [{ name: prometheus, url: "${prometheus.url}" }, { name: victoria, url: "${victoria.url}" }] }
`);

async function killBroker(): Promise<void> {
  broker.child.kill('SIGKILL');
  const away: Away = { atMs: Date.now(), againMs: Infinity };
  brokerAway.push(away);
  await broker.exit;
  await sleep(random() * 1_500);
  broker = await bench.start(configuration);
  away.againMs = Date.now();
}

async function restartDatabase(database: Database, awayMs: number): Promise<void> {
  await database.kill();
  await sleep(awayMs);
  await database.start();
}

async function restartAgent(): Promise<void> {
  await pick(mortal).restartAgent(random() * 1_500);
}

async function spoilLine(): Promise<void> {
  const till = pick(tills);
  till.relay.set(pick(MODES));
  await sleep(500 + random() * 3_000);
  till.relay.set('open');
}

/** One chaotic hand each: what one does takes a while, the others go on. */
async function mischief(untilMs: number, deed: () => Promise<void>, restMs: number): Promise<void> {
  while (Date.now() < untilMs) {
    await sleep(random() * restMs);
    await deed();
  }
}

const ranFull = (): boolean =>
  readFileSync(bench.data('broker.log'), 'utf8').includes('nothing is acknowledged');

async function outage(): Promise<void> {
  await sleep(CHAOS_MS * 0.08);
  for (const database of databases) await database.kill();
  await sleep(OUTAGE_MS);
  const endMs = Date.now() + OUTAGE_MORE_MS;
  while (!ranFull() && Date.now() < endMs) await sleep(500);
  for (const database of databases) await database.start();
}

async function spoilClocks(): Promise<void> {
  await sleep(CHAOS_MS * 0.2);
  tills[0]?.setClock('+1d');
  tills[1]?.setClock('@1970-01-02 00:00:00');
  await sleep(CHAOS_MS * 0.2);
  // One begins its life with a clock that is wrong.
  await tills[1]?.restartAgent(0);
}

beforeAll(async () => {
  await witness.open();
  for (const database of databases) await database.start();
  broker = await bench.start(configure(0, 0));
  configuration = configure(broker.mqttPort, Number(new URL(broker.url).port));
  for (const till of tills) await till.open();
  for (const till of tills) await till.rig.ready('victim');
});
/** What a person would look at first. */
async function lookInto(): Promise<void> {
  const raw = await prometheus.raw(
    '{__name__=~"tillwatch_(scrape|outbox_).*_total"}',
    rangeSeconds(),
  );
  for (const [key, samples] of raw) console.log(key, samples.at(-1));
  for (const kind of ['gap', 'thinned']) {
    const { events } = await bench.api(broker.url, `events?kind=${kind}&limit=100`);
    console.log(JSON.stringify(events));
  }
  for (const till of tills) {
    console.log(
      till.id,
      JSON.stringify(till.kills),
      JSON.stringify(
        till.rig
          .log()
          .filter(({ level }) => level !== 'info')
          .slice(-8),
      ),
    );
  }
  const sinks = await bench.api(broker.url, 'sinks').catch(String);
  const log = readFileSync(bench.data('broker.log'), 'utf8').trimEnd().split('\n');
  console.log(JSON.stringify(sinks, null, 1), log.slice(-25).join('\n'));
}
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await lookInto();
});
afterAll(async () => {
  for (const till of tills) await till.close();
  witness.close();
  for (const database of databases) await database.kill();
  await bench.close();
});

const rangeSeconds = (): number => Math.ceil((Date.now() - startedMs) / 1_000) + 60;

const story = (): string[] => {
  const away = Object.fromEntries(databases.map((database) => [database.name, database.away]));
  return tell({ ...away, broker: brokerAway }, join(bench.dir, 'data'));
};
/** Complaints and what led to them in the words of the failure itself. */
function expectNone(what: string, complaints: readonly string[]): void {
  const words = complaints.length === 0 ? [] : [what, ...complaints.slice(0, 3), ...story()];
  expect(complaints, words.join('\n')).toEqual([]);
}

const numbersOf = async (database: Database): Promise<readonly [taken: Raw, failures: Raw]> => [
  await database.raw('{__name__="app_taken_total"}', rangeSeconds()),
  await database.raw('{__name__="tillwatch_scrape_failures_total"}', rangeSeconds()),
];

/**
 * Until both databases have every number of the books, or for so long. The newest alone says little:
 * what happens now comes first, and what a till kept while its broker was away or the ledger full
 * comes later.
 */
async function settled(books: readonly Book[]): Promise<void> {
  const untilMs = Date.now() + SETTLE_MS;
  let isWhole = false;
  while (!isWhole && Date.now() < untilMs) {
    await sleep(1_000);
    const raws = await Promise.all(databases.map(numbersOf));
    isWhole = raws.every(([taken, failures]) =>
      books.every((book) => lacking(taken, failures, book) === undefined),
    );
  }
  // What comes twice comes later.
  await sleep(5_000);
}

it(`every sample and event is in both databases once (TILLWATCH_SEED=${seed})`, async (context) => {
  need(context, 'prometheus', 'prometheus');
  need(context, 'victoria-metrics', 'victoria-metrics');
  if (FAKETIME === undefined) throw new Error('libfaketime is needed: the Debian package faketime');
  const untilMs = Date.now() + CHAOS_MS;
  await Promise.all([
    mischief(untilMs, killBroker, 15_000),
    mischief(untilMs, restartAgent, 6_000),
    mischief(untilMs, spoilLine, 1_000),
    mischief(untilMs, spoilLine, 1_000),
    mischief(untilMs, () => pick(crashing).crash(), 6_000),
    outage().then(() =>
      mischief(untilMs, () => restartDatabase(pick(databases), random() * 2_000), 8_000),
    ),
    spoilClocks(),
  ]);
  for (const { relay } of tills) relay.set('open');
  witness.quiet();
  const endMs = Date.now();
  const books: readonly Book[] = tills.map(({ id, kills, crashes }) => {
    const given = witness.given(id);
    return { terminal: id, given, upTo: given.length, kills, crashes };
  });
  await settled(books);

  for (const database of databases) {
    const [taken, failures] = await numbersOf(database);
    const all = await database.raw('{__name__=~".+"}', rangeSeconds());
    const { name } = database;
    expectNone(
      name,
      books.flatMap((book) => judgeNumbers(taken, failures, book)),
    );
    expectNone(
      name,
      books.flatMap((book) => judgeCounters(all, book)),
    );
  }
  const ours = '{terminal=~"lane-.+",__name__!~"pos_terminal_.*"}';
  const [one, other] = await Promise.all(databases.map((d) => d.raw(ours, rangeSeconds())));
  const before = (raw: Raw = new Map()): Raw =>
    new Map([...raw].map(([key, all]) => [key, all.filter(([t]) => t < endMs - TIMES_OFF_MS)]));
  expectNone('the first is prometheus', judgeSame(before(one), before(other)));

  const { events } = await bench.api(broker.url, 'events?kind=incident_opened&limit=1000');
  const crashes = tills.reduce((sum, till) => sum + till.crashes.length, 0);
  const opened = events as { fields: { incident: string; cause: string } }[];
  const incidents = opened.filter(({ fields }) => fields.cause === 'crash');
  expect(new Set(opened.map(({ fields }) => fields.incident)).size).toBe(opened.length);
  expect(incidents.length).toBe(crashes);
  expect(ranFull(), 'the ledger ran full').toBe(true);
  const kills = tills.reduce((sum, till) => sum + till.kills.length, 0);
  const counted = books.reduce((sum, { given }) => sum + given.length, 0);
  console.log(
    `${counted} numbers of 10 tills; killed: ${kills} agents, ${brokerAway.length} brokers, ` +
      `${prometheus.away.length} Prometheus, ${victoria.away.length} VictoriaMetrics, ` +
      `${crashes} components`,
  );
  await until('the broker is ready', () => broker.child.exitCode === null);
});
