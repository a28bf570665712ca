// The simulator as a program: `simulate --terminals N --stores M --rate X`. It speaks to a broker that runs
// already and starts none. Exit codes are those of sysexits.h: 64 for wrong use, 69 without a broker.

import { connect } from 'node:net';
import { resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Ports, Timers } from '../ports.ts';
import { realFiles } from '../system/files.ts';
import { realPorts } from '../system.ts';
import { type FleetCounts, startFleet } from './fleet.ts';
import { Identities, terminalsOf, tokensIn } from './identities.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { storesFile } from './stores.ts';
import { simulatedTerminals } from './terminals.ts';

const SAY_MS = 10_000;
/** Twenty thousand of them. */
const TOKENS_BYTES_MAX = 32 * 1024 * 1024;
const PARENT_MS = 500;
const PROBE_MS_MAX = 3_000;
/** What waits is given so long to be acknowledged when the time is over, and when it is told to end. */
const SETTLE_MS_MAX = 15_000;
const LEAVE_MS_MAX = 1_500;

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

function end(code: number, sentence: string): never {
  process.stderr.write(`simulate: ${sentence.replaceAll('\n', '\nsimulate: ')}\n`);
  process.exit(code);
}

const answers = ({ host, port }: Options['broker']): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_MS_MAX });
    const done = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', done(true)).once('error', done(false)).once('timeout', done(false));
  });

const total = ({ faults }: FleetCounts): number => faults.terminal + faults.store + faults.version;

/** `0:40  48 of 50 connected, 2 without line or power, 0.8 batches/s, 50 acks, 3 faults` */
function line(now: FleetCounts, before: FleetCounts | undefined, seconds: number): string {
  const since = before?.delivered.batches ?? 0;
  const rate = ((now.delivered.batches - since) / (SAY_MS / 1_000)).toFixed(1);
  const minutes = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
  const parts = [
    `${now.connected} of ${now.terminals} connected`,
    ...(now.enrolled < now.terminals ? [`${now.enrolled} enrolled`] : []),
    ...(now.away > 0 ? [`${now.away} without line or power`] : []),
    `${rate} batches/s`,
    `${now.acks} acks`,
    `${total(now)} faults (${now.faults.store} of stores, ${now.faults.version} of versions)`,
  ];
  const silent = now.connected === 0 && now.lastReason !== '' ? `; ${now.lastReason}` : '';
  return `${minutes.padStart(6)}  ${parts.join(', ')}${silent}`;
}

/** When it is to end (a signal, the time, a parent that is gone), with how long it may take. */
function ending(options: Options, timers: Timers): Promise<number> {
  const parent = process.ppid;
  return new Promise((resolve) => {
    const leave = (): void => resolve(LEAVE_MS_MAX);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, leave);
    process.stdout.on('error', leave);
    const { seconds } = options;
    if (seconds < Infinity) timers.after(seconds * 1_000, () => resolve(SETTLE_MS_MAX));
    if (!options.exitWithParent) return;
    // A process whose parent died belongs to init or to a subreaper [prctl(2)].
    timers.every(PARENT_MS, () => {
      if (process.ppid !== parent) leave();
    });
  });
}

function summary(counts: FleetCounts, seconds: number): string {
  const { delivered, faults, connects, resent, waiting, dropped, terminals } = counts;
  return [
    `${terminals} terminals for ${Math.round(seconds)} s`,
    `${delivered.batches} batches acknowledged, each once: ${delivered.samples} samples, ` +
      `${delivered.events} events, ${delivered.results} results`,
    `${connects} connections, ${resent} batches sent again, ${dropped} things dropped`,
    `${total(counts)} faults: ${faults.terminal} of one terminal, ${faults.store} of a store, ` +
      `${faults.version} of a version`,
    waiting === 0 ? 'nothing waits' : `${waiting} terminals have something that waits`,
  ].join('\n');
}

/** Which terminals, and who they are; in plain text they are nobody. */
function people(options: Options, { timers, random }: Ports) {
  const known = simulatedTerminals(options.terminals, options.stores);
  if (options.identities === undefined) return { terminals: known, identities: undefined };
  const tokens =
    options.tokens === undefined ? ok(new Map<string, string>()) : readTokens(options.tokens);
  if (!tokens.ok) end(64, `--tokens: ${tokens.reason}`);
  const all = tokens.value.size > 0 ? terminalsOf(tokens.value, known) : known;
  const terminals = options.areTerminalsSaid ? all.slice(0, options.terminals) : all;
  const broker = options.isBrokerSaid ? options.broker : undefined;
  const folder = resolve(options.identities);
  return {
    terminals,
    identities: new Identities({ folder, tokens: tokens.value, terminals, timers, random, broker }),
  };
}

function readTokens(file: string): Result<Map<string, string>> {
  const text = realFiles.read(file, TOKENS_BYTES_MAX);
  return text === undefined ? fail(`${file} cannot be read`) : tokensIn(text);
}

async function run(options: Options): Promise<void> {
  const ports = realPorts();
  const { clock, timers } = ports;
  const { broker } = options;
  const { terminals, identities } = people(options, ports);
  if (identities === undefined && !(await answers(broker))) {
    const where = `${broker.host}:${broker.port}`;
    end(
      69,
      `no broker answers at ${where}: start one ("tillwatch demo"), or name it with --broker`,
    );
  }
  const ended = ending(options, timers);
  const startedMs = clock.monotonicMs();
  // Two thousand terminals with an opinion each would say nothing; what counts is counted.
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  const { identities: _folder, ...rest } = options;
  const fleet = startFleet({ ...rest, terminals, identities, clock, timers, log: silent });
  const seconds = (): number => (clock.monotonicMs() - startedMs) / 1_000;
  let before: FleetCounts | undefined;
  const saying = timers.every(SAY_MS, () => {
    const now = fleet.counts();
    if (!options.json) print(line(now, before, seconds()));
    before = now;
  });
  const settleMsMax = await ended;
  saying();
  await fleet.settle(settleMsMax);
  const counts = fleet.counts();
  await fleet.stop();
  print(
    options.json ? JSON.stringify({ seconds: seconds(), ...counts }) : summary(counts, seconds()),
  );
}

const read = readOptions(process.argv.slice(2));
if (!read.ok) end(64, read.reason);
if (read.value.help) print(USAGE);
else if (read.value.list || read.value.storesFile) {
  const { terminals, stores, list } = read.value;
  const fleet = simulatedTerminals(terminals, stores);
  print(list ? JSON.stringify(fleet) : storesFile(fleet).trimEnd());
} else {
  await run(read.value);
  process.exit(0);
}
