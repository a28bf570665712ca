// The parts of the broker behind its front, each with a file of its own in the folder: ledger, history, registry,
// commands, logs, sinks. Apart from broker.ts, which says only in which order the whole starts and stops.

import { join } from 'node:path';
import { ok, type Result } from '../protocol/result.ts';
import { type Audit, openAudit } from './audit.ts';
import type { Clock, Timers } from './clock.ts';
import { type Commands, openCommands } from './commands/commands.ts';
import type { BrokerConfig } from './config.ts';
import { DAY_MS } from './config-retention.ts';
import { createDeliveryLag } from './delivery-lag.ts';
import { type Fleet, openFleet } from './fleet/fleet.ts';
import type { Front } from './front.ts';
import { type History, openHistory } from './history/history.ts';
import { createNewest, type Newest } from './http/scrape-newest.ts';
import { openKeys } from './keys.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { type Logs, openLogs } from './logs/logs.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type Operators, openOperators } from './operators/operators.ts';
import type { Log } from './ports.ts';
import { openRetention } from './retention.ts';
import { type Sinks, startSinks } from './sinks/sinks.ts';
import { BROKER_VERSION } from './version.ts';

export type World = {
  readonly config: BrokerConfig;
  readonly clock: Clock;
  readonly timers: Timers;
  /** What stops each part that runs; the newest first. */
  readonly undo: (() => void | Promise<void>)[];
};

export type Back = {
  readonly metrics: Metrics;
  readonly ledger: Ledger;
  readonly history: History;
  readonly fleet: Fleet;
  readonly audit: Audit;
  readonly operators: Operators;
  readonly commands: Commands;
  readonly logs: Logs;
  readonly sinks: Sinks;
  readonly newest: Newest;
  readonly token: string;
};

/** Where batches go: the ledger, and the history that follows it. */
function openStores({ config, clock, timers, undo }: World, log: Log) {
  const { dataDir, retention } = config;
  const { bytesMax, days } = retention.ledger;
  const path = join(dataDir, 'ledger.db');
  const ledger = openLedger({ path, clock, bytesMax, ageMsMax: days * DAY_MS });
  undo.push(ledger.close);
  const history = openHistory({ dataDir, ledger, retention: retention.history, timers, log });
  undo.push(history.stop);
  return { ledger, history };
}

function openRegistry(
  { config, clock, timers, undo }: World,
  shared: Pick<Back, 'ledger' | 'metrics'>,
  log: Log,
) {
  const { dataDir, retention, terminals, presence, acceptUnknown } = config;
  const fleet = openFleet({
    ...{ path: join(dataDir, 'registry.db'), terminals, presence, acceptUnknown },
    ...{ ...shared, clock, timers, log },
    eventsMax: retention.events.rowsMax,
    lettersMax: retention.deadLetters.rowsMax,
    bytesMax: retention.registry.bytesMax,
  });
  if (fleet.ok) undo.push(fleet.value.close);
  return fleet;
}

/** The broker's own start and stop belong into the audit log. */
function openAudited({ config, clock, undo }: World, fleet: Fleet, metrics: Metrics): Audit {
  const audit = openAudit(fleet.database, clock, metrics);
  const onRecord = (action: 'broker.start' | 'broker.stop'): void => {
    const detail = { version: BROKER_VERSION, pid: process.pid };
    const subject = config.dataDir;
    audit.write({ operator: 'broker', action, subject, reason: '', outcome: 'ok', detail });
  };
  onRecord('broker.start');
  undo.push(() => onRecord('broker.stop'));
  return audit;
}

export function openBack(world: World, log: Log, send: Front['sendCommand']): Result<Back> {
  const { config, clock, timers, undo } = world;
  const { dataDir, retention } = config;
  const keys = openKeys(dataDir);
  if (!keys.ok) return keys;
  const metrics = createMetrics(BROKER_VERSION);
  const { ledger, history } = openStores(world, log);
  const opened = openRegistry(world, { ledger, metrics }, log);
  if (!opened.ok) return opened;
  const fleet = opened.value;
  const audit = openAudited(world, fleet, metrics);
  const shared = { fleet, audit, clock, timers, metrics, log };
  const operators = openOperators({ ...shared, database: fleet.database });
  undo.push(operators.close);
  const { commandKey: key, apiToken: token } = keys.value;
  const keptMax = retention.registry.commandsMax;
  const commands = openCommands({ ...shared, key, send, keptMax, record: ledger.appendOwn });
  undo.push(commands.close);
  const folder = join(dataDir, 'logs');
  const { requestsMax } = retention.logs;
  const logs = openLogs({ folder, commands, ...shared, keptMax: requestsMax });
  undo.push(logs.close);
  const newest = createNewest(clock.wallMs);
  fleet.onSamples(newest.take);
  fleet.onSamples(createDeliveryLag(metrics.deliveryLagSeconds));
  const { database, onStores } = fleet;
  undo.push(openRetention({ ...shared, database, retention, logs }).stop);
  const sinks = startSinks({
    ...{ config: config.sinks, deadLetters: retention.deadLetters, ledger, timers, log },
    path: join(dataDir, 'sinks.db'),
    onStores,
  });
  undo.push(sinks.stop);
  metrics.watch({
    sessions: operators.sessions,
    sinks: sinks.figures,
    seriesOverBudget: sinks.overBudget,
  });
  fleet.start();
  return ok({
    metrics,
    ledger,
    history,
    fleet,
    audit,
    operators,
    commands,
    logs,
    sinks,
    newest,
    token,
  });
}
