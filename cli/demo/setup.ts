// Brings the demo up: folders, ports, configuration files, then broker, head office, printers and agents,
// each waited for by what it writes when it is ready. What an earlier demo wrote is removed first, so that
// every story begins with a fleet that has no past.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Children } from './children.ts';
import { RUN_ROOT_PREFIX } from './leftovers.ts';
import {
  agentConfig,
  agentFlags,
  brokerConfig,
  centreDirOf,
  type Place,
  portFileOf,
  printerDirOf,
  simulateArguments,
  TILLS,
  type Till,
} from './plan.ts';
import { until } from './watch.ts';

const READY_MS_MAX = 30_000;
const PORTS_TRIED_MAX = 200;
const WRITTEN_BY_DEMO = ['broker', 'centre', 'tills', 'config', 'logs', 'operator.json'];

/** Where each program is in a checkout; in dist/ it is NAME.mjs (cli/build.js holds the same list). */
export const SOURCES: Readonly<Record<string, string>> = {
  agent: 'agent/main.ts',
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
  readonly url: string;
  readonly mqttPort: number;
  readonly token: string;
  readonly commandKey: string;
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

export async function startCentre(
  place: Place,
  children: Children,
  simulated: number,
  signal: AbortSignal,
): Promise<Result<Centre>> {
  const [mqttPort, httpPort] = [await freePort(1883), await freePort(8080)];
  if (!mqttPort.ok) return mqttPort;
  if (!httpPort.ok) return httpPort;
  const settings = brokerConfig(place, mqttPort.value, httpPort.value, simulated);
  const config = writeConfig(place, 'broker', settings);
  children.start('broker', [...place.command('broker'), '--config', config]);
  children.start('head-office', place.command('centre'), {
    CENTRE_PORT: '0',
    CENTRE_DATA_DIR: centreDirOf(place),
  });
  const dataDir = join(place.folder, 'broker');
  const broker = await until(READY_MS_MAX, signal, () =>
    readJson<BrokerFile>(join(dataDir, 'broker.json')),
  );
  if (broker === undefined) return notReady(place, 'broker');
  const office = await until(READY_MS_MAX, signal, () =>
    readJson(portFileOf(centreDirOf(place), 'centre')),
  );
  if (office === undefined) return notReady(place, 'head-office');
  const text = (name: string) => readFileSync(join(dataDir, name), 'utf8').trim();
  const token = text('api-token');
  const operator = JSON.stringify({ url: broker.url, token });
  writeFileSync(join(place.folder, 'operator.json'), operator, { mode: 0o600 });
  return ok({
    url: broker.url,
    mqttPort: broker.mqttPort,
    token,
    commandKey: text('command-key.pub'),
  });
}

async function startTill(
  place: Place,
  children: Children,
  centre: Centre,
  till: Till,
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
  const { mqttPort, commandKey } = centre;
  const { port: printerPort, scannerPort } = printer;
  const settings = { mqttPort, commandKey, printerPort, scannerPort };
  const config = writeConfig(place, `agent-${till.id}`, agentConfig(place, till, settings));
  const command = [...place.command('agent', agentFlags), '--config', config];
  // Its own log is beside its data; the lines for people go where all other output of the demo is.
  children.start(`agent-${till.id}`, command, { TILLWATCH_LOG: 'stderr' });
  return ok(undefined);
}

export async function startTills(
  place: Place,
  children: Children,
  centre: Centre,
  signal: AbortSignal,
): Promise<Result<void>> {
  const started = await Promise.all(
    TILLS.map((till) => startTill(place, children, centre, till, signal)),
  );
  return started.find((one) => !one.ok) ?? ok(undefined);
}

/** One process speaks for all of them; nothing waits for it, because no step of the story needs it. */
export function startSimulated(
  place: Place,
  children: Children,
  centre: Centre,
  count: number,
): void {
  if (count === 0) return;
  children.start('simulated', [...place.command('simulate'), ...simulateArguments(count, centre)]);
}
