// Brings the demo up: folders, ports, configuration files, then broker, head office, printers and agents,
// each waited for by what it writes when it is ready. What an earlier demo wrote is removed first, so that
// every story begins with a fleet that has no past.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Client } from '../client.ts';
import type { Children } from './children.ts';
import { foundFleet, makeTokens, placeToken, signedIn, writeTokens } from './fleet.ts';
import { RUN_ROOT_PREFIX } from './leftovers.ts';
import {
  agentConfig,
  agentFlags,
  centreDirOf,
  identityDirOf,
  type Place,
  portFileOf,
  printerDirOf,
  simulateArguments,
  TILLS,
  type Till,
  tokensFileOf,
} from './plan.ts';
import { until } from './watch.ts';

const READY_MS_MAX = 30_000;
const PORTS_TRIED_MAX = 200;
const WRITTEN_BY_DEMO = [
  ...['broker', 'keys', 'centre', 'tills', 'simulated', 'config', 'logs', 'operator.json'],
];

/** Where each program is in a checkout; in dist/ it is NAME.mjs (cli/build.js holds the same list). */
export const SOURCES: Readonly<Record<string, string>> = {
  agent: 'agent/main.ts',
  enrol: 'agent/enrol-main.ts',
  pull: 'agent/pull-main.ts',
  broker: 'broker/main.ts',
  sale: 'terminal/sale/main.ts',
  sync: 'terminal/sync/main.ts',
  hardware: 'terminal/hardware/main.ts',
  printer: 'terminal/hardware/printer-main.ts',
  centre: 'terminal/centre/main.ts',
  drill: 'terminal/drill/main.ts',
  simulate: 'agent/simulated/main.ts',
};

/** @param program the file that runs now: dist/tillwatch.mjs starts its siblings, cli/tillwatch.ts sources */
function commandFor(program: string): Place['command'] {
  const built = program.endsWith('.mjs');
  const folder = dirname(program);
  return (name, nodeFlags = []) => {
    const file = built ? join(folder, `${name}.mjs`) : join(folder, '..', SOURCES[name] ?? '');
    return [process.execPath, ...nodeFlags, file];
  };
}

/** The demo's own folder below the person's, made when it is not there. @returns its real path */
export function makeHome(folder: string): string {
  const home = join(folder, '.tillwatch');
  try {
    // Not `recursive`, which spins for ever below /proc (Node 24.21).
    mkdirSync(home, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return realpathSync(home);
}

/** The same for every demo of a folder, so that a new one finds what an old one left. */
export const markOf = (home: string): string =>
  createHash('sha256').update(home).digest('hex').slice(0, 16);

/** Room for `/TERMINAL/channel.sock` and some more within a socket's path. */
const TEMPORARY_BYTES_MAX = 48;

export function makePlace(home: string): Place {
  const temporary = Buffer.byteLength(tmpdir()) <= TEMPORARY_BYTES_MAX ? tmpdir() : '/tmp';
  return {
    folder: home,
    runRoot: mkdtempSync(join(temporary, RUN_ROOT_PREFIX)),
    mark: markOf(home),
    command: commandFor(realpathSync(process.argv[1] ?? '')),
  };
}

export function clearFolder(place: Place): void {
  for (const name of WRITTEN_BY_DEMO) {
    rmSync(join(place.folder, name), { recursive: true, force: true });
  }
  for (const name of ['config', 'logs', 'broker', 'centre']) {
    mkdirSync(join(place.folder, name), { recursive: true, mode: 0o700 });
  }
}

const canListen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });

/** The first free port from the usual one upwards. */
async function freePort(first: number): Promise<Result<number>> {
  for (let port = first; port < first + PORTS_TRIED_MAX; port += 1) {
    if (await canListen(port)) return ok(port);
  }
  return fail(`no port from ${first} to ${first + PORTS_TRIED_MAX - 1} is free`);
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined; // not written yet
  }
}

export type Centre = {
  readonly client: Client;
  readonly mqttPort: number;
};
type BrokerFile = { readonly pid: number; readonly mqttPort: number; readonly url: string };

function writeConfig(place: Place, name: string, config: object): string {
  const file = join(place.folder, 'config', `${name}.yaml`);
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return file;
}

/** With the last thing that the program said, because it is often the reason. */
function notReady(place: Place, name: string): Result<never> {
  const log = join(place.folder, 'logs', `${name}.log`);
  const last = readFileSync(log, 'utf8').trim().split('\n').at(-1) || 'nothing';
  return fail(`${name} was not ready in ${READY_MS_MAX / 1000} s; it said: ${last.slice(0, 300)}`);
}

/** The broker, waited for, and whoever may act on it. */
async function startBroker(
  place: Place,
  children: Children,
  signal: AbortSignal,
): Promise<Result<Centre>> {
  const [mqtt, http] = [await freePort(8883), await freePort(8443)];
  if (!mqtt.ok) return mqtt;
  if (!http.ok) return http;
  const fleet = await foundFleet(place, { mqtt: mqtt.value, http: http.value });
  if (!fleet.ok) return fleet;
  const { config, dataDir } = fleet.value;
  children.start('broker', [...place.command('broker'), '--config', config]);
  const broker = await until(READY_MS_MAX, signal, () =>
    readJson<BrokerFile>(join(dataDir, 'broker.json')),
  );
  if (broker === undefined) return notReady(place, 'broker');
  const client = signedIn(place, broker.url, fleet.value);
  return ok({ client, mqttPort: broker.mqttPort });
}

export async function startCentre(
  place: Place,
  children: Children,
  signal: AbortSignal,
): Promise<Result<Centre>> {
  children.start('head-office', place.command('centre'), {
    CENTRE_PORT: '0',
    CENTRE_DATA_DIR: centreDirOf(place),
  });
  const centre = await startBroker(place, children, signal);
  if (!centre.ok) return centre;
  const office = await until(READY_MS_MAX, signal, () =>
    readJson(portFileOf(centreDirOf(place), 'centre')),
  );
  return office === undefined ? notReady(place, 'head-office') : centre;
}

async function startTill(
  place: Place,
  children: Children,
  till: Till,
  token: string,
  signal: AbortSignal,
): Promise<Result<void>> {
  const printerDir = printerDirOf(place, till);
  mkdirSync(printerDir, { recursive: true, mode: 0o700 });
  mkdirSync(join(place.runRoot, till.id), { recursive: true, mode: 0o700 });
  children.start(`printer-${till.id}`, place.command('printer'), {
    POS_PRINTER_PORT: '0',
    POS_DATA_DIR: printerDir,
  });
  const printer = await until(READY_MS_MAX, signal, () =>
    readJson<{ port: number; scannerPort: number }>(portFileOf(printerDir, 'printer')),
  );
  if (printer === undefined) return notReady(place, `printer-${till.id}`);
  const { port: printerPort, scannerPort } = printer;
  const settings = { printerPort, scannerPort };
  placeToken(identityDirOf(place, till), token);
  const config = writeConfig(place, `agent-${till.id}`, agentConfig(place, till, settings));
  const command = [...place.command('agent', agentFlags), '--config', config];
  // Its own log is beside its data; the lines for people go where all other output of the demo is.
  children.start(`agent-${till.id}`, command, { TILLWATCH_LOG: 'stderr' });
  return ok(undefined);
}

export async function startTills(
  place: Place,
  children: Children,
  { client }: Centre,
  signal: AbortSignal,
): Promise<Result<void>> {
  const tills = TILLS.map(({ id, store }) => ({ terminal: id, store }));
  const tokens = await makeTokens(client, tills);
  if (!tokens.ok) return tokens;
  const started = await Promise.all(
    TILLS.map((till) => startTill(place, children, till, tokens.value.get(till.id) ?? '', signal)),
  );
  return started.find((one) => !one.ok) ?? ok(undefined);
}

/** One process speaks for all of them; nothing waits for it, because no step of the story needs it. */
export async function startSimulated(
  place: Place,
  children: Children,
  { client }: Centre,
  count: number,
): Promise<Result<void>> {
  if (count === 0) return ok(undefined);
  const tills = simulatedTerminals(count).map(({ id, store }) => ({ terminal: id, store }));
  const tokens = await makeTokens(client, tills);
  if (!tokens.ok) return tokens;
  writeTokens(tokensFileOf(place), tokens.value);
  children.start('simulated', [...place.command('simulate'), ...simulateArguments(place, count)]);
  return ok(undefined);
}
