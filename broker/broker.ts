// Starts the whole broker in the order in which its parts lean on each other and stops it the other way
// round: folder, keys, log, ledger, fleet, commands, HTTP, MQTT. Every start leaves its undo behind, so
// that a failure half way (a taken port, a damaged file) ends as cleanly as a stop. broker.json appears
// last: who finds it may use what it says.

import { mkdirSync, rmSync, statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { fail, ok, type Result } from '../protocol/result.ts';
import { openBack, type World } from './back.ts';
import { openDataFolder } from './backup/data-schema.ts';
import { checkFinished } from './backup/restored.ts';
import { type Clock, systemClock, systemTimers, type Timers } from './clock.ts';
import type { BrokerConfig } from './config.ts';
import { lockFolder, PUBLIC_MODE, writeWhole } from './files.ts';
import { type Front, startFront } from './front.ts';
import { startHttp } from './http/server.ts';
import { openLog } from './log.ts';
import { MQTT_LIMITS, type MqttLimits } from './mqtt/limits.ts';
import type { Log } from './ports.ts';
import { addressesOf, auditRefusals, openFleetTrust, openSecured } from './secured.ts';
import type { Trust } from './trust/types.ts';
import { BROKER_VERSION } from './version.ts';

/** Only the owner: the folder holds keys and everything the chain's terminals said. */
const FOLDER_MODE = 0o700;
/** Who may write in the folder may put an API token or a command key of their own there. */
const ANYBODY_WRITES = 0o002;
/** A part that takes longer to stop is left to the end of the process. */
const PART_STOP_MS_MAX = 900;

export type BrokerOverrides = {
  /** Of the configuration as it was read, for backups; none is made by itself without it. */
  readonly configText?: string;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly log?: Log;
  readonly limits?: Partial<MqttLimits>;
};

export type Broker = {
  readonly mqttPort: number;
  readonly httpPort: number;
  /** Where the API is, as it stands in broker.json. */
  readonly url: string;
  readonly stop: () => Promise<void>;
};

function within(timers: Timers, ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = timers.after(ms, resolve);
    const done = (): void => {
      cancel();
      resolve();
    };
    work.then(done, done);
  });
}

/** Newest first; one that fails does not keep the others from being undone. */
async function unwind({ undo, timers }: World): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    const run = step;
    await within(timers, PART_STOP_MS_MAX, (async () => await run())());
  }
}

function openFolder({ config: { dataDir }, undo }: World): Result<string> {
  mkdirSync(dataDir, { recursive: true, mode: FOLDER_MODE });
  const { mode } = statSync(dataDir);
  if ((mode & ANYBODY_WRITES) !== 0) {
    const shown = (mode & 0o777).toString(8);
    return fail(
      `${dataDir} is a folder in which anybody may write (mode ${shown}): run chmod o-w on it, ` +
        'and look whether the keys in it are yours',
    );
  }
  const lock = lockFolder(dataDir);
  if (!lock.ok) return lock;
  undo.push(lock.value);
  const finished = checkFinished(dataDir);
  if (!finished.ok) return finished;
  // What a killed broker left behind would send others to a port that is nobody's or somebody's.
  rmSync(join(dataDir, 'broker.json'), { force: true });
  return ok(dataDir);
}

function openOwnLog({ undo }: World, dataDir: string): Log {
  const log = openLog(dataDir);
  undo.push(log.end);
  return log;
}

/** Nothing in the folder is opened before it is known that this program may. @returns the log. */
function openPlace(world: World, overrides: BrokerOverrides): Result<Log> {
  const folder = openFolder(world);
  if (!folder.ok) return folder;
  const log = overrides.log ?? openOwnLog(world, folder.value);
  const data = openDataFolder(folder.value, { log });
  return data.ok ? ok(log) : data;
}

const limitsOf = ({ limits }: BrokerConfig): MqttLimits => ({
  ...MQTT_LIMITS,
  connections: limits.connections,
  connects: { burst: limits.connectBurst, perSecond: limits.connectsPerSecond },
  terminal: {
    ...MQTT_LIMITS.terminal,
    connectsPerMinute: limits.terminalConnectsPerMinute,
    publishesPerSecond: limits.terminalPublishesPerSecond,
    bytesPerSecond: limits.terminalBytesPerSecond,
  },
});

type Ports = { readonly mqttPort: number; readonly httpPort: number };

/** @returns where the API is: by name where there is a certificate for it. */
function urlOf({ config }: World, { mqttPort, httpPort }: Ports): string {
  const { host } = config.http;
  const [named] = addressesOf(config, mqttPort, httpPort).urls;
  if (!config.plainText && named !== undefined) return named;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${httpPort}`;
}

/** Of a certificate from elsewhere the fleet's own authorities say nothing. */
const authoritiesOf = ({ http }: BrokerConfig, trust: Trust | undefined) =>
  http.certificate === undefined ? trust && (() => trust.document().authorities) : undefined;

function announce(world: World, ports: Ports, trust: Trust | undefined): string {
  const { config, undo } = world;
  const url = urlOf(world, ports);
  const path = join(config.dataDir, 'broker.json');
  // Whoever reads it on this machine knows whom to believe without asking.
  const authority = trust && { authority: trust.fingerprint() };
  const facts = { pid: process.pid, ...ports, url, ...authority, version: BROKER_VERSION };
  writeWhole(path, `${JSON.stringify(facts)}\n`, PUBLIC_MODE);
  undo.push(() => rmSync(path, { force: true }));
  return url;
}

async function start(world: World, overrides: BrokerOverrides): Promise<Result<Broker>> {
  const { config, clock, timers, undo } = world;
  const place = openPlace(world, overrides);
  if (!place.ok) return place;
  const log = place.value;
  const opened = await openFleetTrust(world, log);
  if (!opened.ok) return opened;
  const trust = opened.value;
  let front: Front | undefined;
  let ports: Ports = { mqttPort: config.mqtt.port, httpPort: config.http.port };
  const send: Front['sendCommand'] = (terminal, bytes) =>
    front?.sendCommand(terminal, bytes) ?? false;
  const addresses = () => addressesOf(config, ports.mqttPort, ports.httpPort);
  const back = openBack(world, log, { send, addresses, trust });
  if (!back.ok) return back;
  const { metrics, ledger, fleet, audit, identities, commands, logs, history, newest } = back.value;
  const { maintenances } = back.value;
  const security = trust && openSecured(world, trust, { metrics, audit, log });
  metrics.watch({
    fleet: fleet.rollup,
    connections: () => front?.connections() ?? 0,
    pace: () => front?.pace() ?? { bytesPerSecond: 0, terminals: 0 },
    ledger: ledger.stats,
    behind: fleet.behind,
    commands: commands.countOpen,
    history: history.figures,
  });
  const http = await startHttp({
    ...config.http,
    ...back.value,
    metricsRole: config.http.metrics === 'public' ? 'anyone' : 'viewer',
    scrape: { observed: fleet.observed, samplesOfStores: fleet.samplesOfStores, newest },
    nowMs: () => clock.wallMs(),
    watch: (terminal) => front?.watch(terminal),
    timers,
    log,
    security: security?.http,
    authorities: authoritiesOf(config, trust),
  });
  if (!http.ok) return http;
  undo.push(http.value.stop);
  const started = await startFront({
    ...config.mqtt,
    limits: { ...limitsOf(config), ...overrides.limits },
    backlogBytesPerSecond: config.limits.backlogBytesPerSecond,
    security: security?.mqtt(identities.admit, http.value.port),
    identities,
    onRefused: auditRefusals(audit),
    ledger,
    fleet,
    logs,
    onCommandReady: (terminal) => {
      commands.terminalReady(terminal);
      maintenances.terminalReady(terminal);
    },
    metrics,
    clock,
    timers,
    log,
  });
  if (!started.ok) return started;
  front = started.value;
  undo.push(front.stop);
  ports = { mqttPort: front.port, httpPort: http.value.port };
  const url = announce(world, ports, trust);
  log.info('broker ready', { mqttPort: ports.mqttPort, url, version: BROKER_VERSION });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    if (stopping === undefined) log.info('broker stopping');
    stopping ??= unwind(world);
    return stopping;
  };
  return ok({ ...ports, url, stop });
}

/** @returns a running broker, or one sentence that says why there is none. */
export async function startBroker(
  config: BrokerConfig,
  overrides: BrokerOverrides = {},
): Promise<Result<Broker>> {
  const { clock = systemClock, timers = systemTimers } = overrides;
  const { configText = '' } = overrides;
  const world: World = { config, configText, clock, timers, undo: [] };
  try {
    const started = await start(world, overrides);
    if (!started.ok) await unwind(world);
    return started;
  } catch (cause) {
    // Files and folders fail by throwing: no rights, no space, not ours.
    await unwind(world);
    return fail((cause as Error).message);
  }
}
