// What every component does around its work: log, channel to its supervisor, local server, port file,
// readiness only once it really serves, and an end in good order within the grace. A component's own
// part is one function that gives routes and a stop; it never touches signals or the process.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { type Channel, connectChannel } from '../../agent/channel/client.ts';
import { EXIT_BUG, EXIT_UNAVAILABLE, versionOf } from './env.ts';
import { faultRoute } from './faults.ts';
import { writeAtomically } from './files.ts';
import { answer, LOOPBACK, listen, type Route } from './http.ts';
import { createLog, type Log } from './log.ts';
import { metricsRoute } from './metrics.ts';
import { saying } from './result.ts';

export type Context = {
  readonly log: Log;
  readonly channel: Channel;
  readonly version: string;
  readonly dataDir: string;
};
/** What /healthz says; `degraded` still serves (a dead line is not an illness). */
export type Health = { readonly status: 'ok' | 'degraded'; readonly [fact: string]: unknown };
export type Service = {
  readonly routes: readonly Route[];
  readonly registry?: Registry;
  readonly health: () => Health;
  readonly bodyBytesMax?: number;
  /** Runs after the port is open and before readiness is told. */
  readonly started?: (port: number) => void;
  /** Of one of its devices: closed and opened again, by order of an operator. */
  readonly reopen?: (device: string) => Promise<{ readonly ok: boolean; readonly reason: string }>;
  readonly stop: () => Promise<void>;
};
type Settings = {
  readonly POS_DATA_DIR: string;
  readonly POS_FAULTS: boolean;
  readonly POS_LOG_LEVEL: string;
  readonly POS_VERSION: string;
  readonly TILLWATCH_VERSION: string;
};

/** Grace of a SIGTERM, which names none; the supervisor's own limit is 3 s by default. */
const GRACE_MS = 2_500;

function endOnBug(log: Log): void {
  // Errors that nobody expected: say it, and let the supervisor start a clean process.
  process.on('uncaughtException', (error) => {
    log.error('internal error', { reason: saying(error), stack: error.stack });
    process.exit(EXIT_BUG);
  });
}

function refuse(log: Log, reason: string): never {
  log.error(reason);
  process.stderr.write(`${reason}\n`);
  process.exit(EXIT_UNAVAILABLE);
}

/** Runs one component until it is told to end. */
export async function runComponent(
  name: string,
  settings: Settings,
  port: number,
  start: (context: Context) => Service,
): Promise<void> {
  const version = versionOf(settings);
  const log = createLog(name, version, settings.POS_LOG_LEVEL);
  endOnBug(log);
  let stop: (graceMs: number, reason: string) => void = () => process.exit(0);
  let reopen: Service['reopen'];
  const channel = connectChannel({
    onStop: ({ graceMs, reason }) => stop(graceMs, reason),
    onLevel: (level) => {
      log.setLevel(level);
      log.info('the log level changed', { to: level ?? 'as configured' });
    },
    onReopen: async (device) =>
      (await reopen?.(device)) ?? { ok: false, reason: `${name} has no devices` },
  });
  process.on('SIGTERM', () => stop(GRACE_MS, 'SIGTERM'));
  process.on('SIGINT', () => stop(GRACE_MS, 'SIGINT'));
  const dataDir = settings.POS_DATA_DIR;
  const portFile = join(dataDir, `${name}.json`);
  const context = { log, channel, version, dataDir };
  let service: Service;
  try {
    service = start(context);
    reopen = service.reopen;
  } catch (error) {
    refuse(log, `${name} cannot start: ${saying(error)}`);
  }
  const routes: Route[] = [
    ...service.routes,
    // Answered by the main loop on purpose: whoever answers elsewhere proves nothing.
    { method: 'GET', path: '/healthz', run: () => answer(200, { ...service.health(), version }) },
    ...(service.registry ? [metricsRoute(service.registry)] : []),
    ...(settings.POS_FAULTS ? [faultRoute(log)] : []),
  ];
  const { bodyBytesMax } = service;
  const server = await listen({ port, routes, log, ...(bodyBytesMax ? { bodyBytesMax } : {}) });
  if (!server.ok) refuse(log, server.reason);
  let stopping = false;
  stop = (graceMs, reason) => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { reason, graceMs });
    channel.stopping();
    // Kill-safe by design, so a request that outlasts the grace is simply cut.
    setTimeout(() => process.exit(0), Math.max(100, graceMs * 0.8)).unref();
    const end = async (): Promise<void> => {
      // Running requests first: they still need what the service holds open.
      await server.value.close();
      await service.stop();
      rmSync(portFile, { force: true });
      log.info('stopped');
      channel.close();
      process.exit(0);
    };
    void end();
  };
  const url = `http://${LOOPBACK}:${server.value.port}`;
  service.started?.(server.value.port);
  writeAtomically(portFile, `${JSON.stringify({ port: server.value.port, pid: process.pid })}\n`);
  channel.ready(service.registry ? { metricsUrl: `${url}/metrics` } : {});
  log.info('ready', { url, pid: process.pid });
}
