// The parts of the broker behind its front, each with a file of its own in the folder: ledger, history, registry,
// commands, logs, sinks. Apart from broker.ts, which says only in which order the whole starts and stops.

import { join } from 'node:path';
import { publicKeyText } from '../protocol/commands.ts';
import { ok, type Result } from '../protocol/result.ts';
import { type Audit, type AuditSigning, openAudit } from './audit.ts';
import { auditTold } from './audit-told.ts';
import { openBackups } from './backup/automatic.ts';
import { tellRestored } from './backup/restored.ts';
import { type Bulks, openBulks } from './bulk/desk.ts';
import { type Notices, openNotices } from './bulk/notices.ts';
import type { Clock, Timers } from './clock.ts';
import { type Commands, openCommands } from './commands/commands.ts';
import type { BrokerConfig } from './config.ts';
import { DAY_MS } from './config-retention.ts';
import { createDeliveryLag } from './delivery-lag.ts';
import { type Errors, openErrors } from './errors/errors.ts';
import { PUBLIC_MODE, writeWhole } from './files.ts';
import { type Fleet, openFleet } from './fleet/fleet.ts';
import type { Front } from './front.ts';
import { type History, openHistory } from './history/history.ts';
import { createNewest, type Newest } from './http/scrape-newest.ts';
import { openIdentities } from './identity/identities.ts';
import type { Addresses } from './identity/parts.ts';
import type { Identities } from './identity/types.ts';
import { openKeys } from './keys.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { type Automatic, openAutomatic } from './logs/automatic.ts';
import { type Logs, openLogs } from './logs/logs.ts';
import { openLogStore } from './logs/store.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type Operators, openOperators } from './operators/operators.ts';
import type { Log } from './ports.ts';
import { openRetention } from './retention.ts';
import { joinSinks, startLoki } from './sinks/loki.ts';
import { type Sinks, startSinks } from './sinks/sinks.ts';
import { openStoresRoom, type StoresRoom } from './stores/stores.ts';
import type { Trust } from './trust/types.ts';
import { openUpkeep, type Upkeep } from './upkeep.ts';
import { BROKER_VERSION } from './version.ts';

export type World = {
  readonly config: BrokerConfig;
  /** As it was read: it goes into backups. */
  readonly configText?: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** What stops each part that runs; the newest first. */
  readonly undo: (() => void | Promise<void>)[];
};

export type Back = Upkeep & {
  readonly metrics: Metrics;
  readonly ledger: Ledger;
  readonly history: History;
  readonly fleet: Fleet;
  readonly audit: Audit;
  readonly operators: Operators;
  readonly identities: Identities;
  readonly commands: Commands;
  readonly stores: StoresRoom;
  readonly notices: Notices;
  readonly bulks: Bulks;
  readonly logs: Logs;
  readonly automatic: Automatic;
  readonly errors: Errors;
  readonly sinks: Sinks;
  readonly newest: Newest;
  /** Of a broker in plain text. */
  readonly token: string | undefined;
};

/** What the front gives back to who stands behind it. */
export type Outside = {
  readonly send: Front['sendCommand'];
  readonly addresses: () => Addresses;
  /** Undefined in plain text: then there are a key and a token in the data folder. */
  readonly trust: Trust | undefined;
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
function openAudited(
  { config, clock, undo }: World,
  { fleet, metrics }: Pick<Back, 'fleet' | 'metrics'>,
  signing: AuditSigning,
): Audit {
  const audit = openAudit(fleet.database, clock, metrics, signing);
  const told = tellRestored(config.dataDir, fleet.database, audit);
  if (!told.ok) throw new Error(told.reason);
  const key = `${publicKeyText(signing.key())}\n`;
  writeWhole(join(config.dataDir, 'audit-key.pub'), key, PUBLIC_MODE);
  const onRecord = (action: 'broker.start' | 'broker.stop'): void => {
    const detail = { version: BROKER_VERSION, pid: process.pid };
    const subject = config.dataDir;
    audit.write({ operator: 'broker', action, subject, reason: '', outcome: 'ok', detail });
  };
  onRecord('broker.start');
  undo.push(() => onRecord('broker.stop'));
  return audit;
}

/** Who signs commands and heads of the audit log, and the one token, if there is one. */
function openSecrets(dataDir: string, { trust }: Outside) {
  if (trust !== undefined) {
    return ok({ key: trust.commandKey, auditKey: trust.auditKey, token: undefined });
  }
  const keys = openKeys(dataDir);
  if (!keys.ok) return keys;
  const { commandKey: key, auditKey, apiToken: token } = keys.value;
  return ok({ key, auditKey: () => auditKey, token });
}

const NEW_TRUST = 'what terminals trust has changed';

/** Commands want to know who is served, and identities send one: each gets the other when it is asked for. */
function openActors(
  { config, undo }: World,
  shared: Pick<Back, 'fleet' | 'audit' | 'metrics'> &
    Pick<World, 'clock' | 'timers'> & { log: Log },
  { trust, addresses, send }: Outside,
  queue: Pick<Parameters<typeof openCommands>[0], 'key' | 'record'>,
  operators: Pick<Operators, 'roleOf' | 'onChange'>,
) {
  // In plain text whoever has the one token says any name.
  const asked = config.plainText ? undefined : operators;

  const keptMax = config.retention.registry.commandsMax;
  const commands = openCommands({
    ...{ ...shared, ...queue, send, keptMax },
    stateOf: (terminal) => identities.stateOf(terminal),
    operators: asked,
  });
  undo.push(commands.close);
  const identities = openIdentities({
    ...{ ...shared, trust, addresses, settings: config.enrolment },
    count: shared.metrics.enrolments,
    pushTrust: (terminal, args) => {
      const made = commands.createOwn('trust', terminal, args, NEW_TRUST);
      return made.ok ? made.id : undefined;
    },
  });
  undo.push(identities.close);
  const notices = openNotices(shared.fleet.database, shared.clock);
  const bulks = openBulks({
    ...{ ...shared, commands, notices, settings: config.bulk },
    stateOf: identities.stateOf,
    roleOf: asked?.roleOf,
    inMaintenance: (terminal) => upkeep.maintenances.inMaintenance.ofTerminal(terminal),
  });
  undo.push(bulks.close);
  const stores = openStoresRoom({ ...shared, identities });
  const upkeep = openUpkeep(
    {
      ...{ ...shared, commands, notices, bulks, stores, stateOf: identities.stateOf },
      failurePercent: config.bulk.failurePercent,
    },
    { undo },
  );
  shared.metrics.watch({ bulks: bulks.counts, stores: stores.counts });
  return { commands, identities, notices, bulks, stores, ...upkeep };
}

/** Where what the ledger and received logs hold goes to. */
function openSinks(
  { config, timers, undo }: World,
  { ledger, fleet, logs }: Pick<Back, 'ledger' | 'fleet' | 'logs'>,
  log: Log,
): Sinks {
  const { dataDir, retention, sinks: wanted } = config;
  const shared = { deadLetters: retention.deadLetters, timers, log };
  const ofLedger = startSinks({
    ...{ config: wanted, path: join(dataDir, 'sinks.db'), onStores: fleet.onStores },
    ...{ ...shared, ledger },
  });
  const ofLogs = startLoki({
    ...{ sinks: wanted.loki, path: join(dataDir, 'loki.db'), folder: join(dataDir, 'logs') },
    ...{ ...shared, records: openLogStore(fleet.database), storeOf: fleet.storeOf },
    onChange: logs.onChange,
  });
  const sinks = joinSinks(ofLedger, ofLogs);
  undo.push(sinks.stop);
  return sinks;
}

export function openBack(world: World, log: Log, outside: Outside): Result<Back> {
  const { config, clock, timers, undo } = world;
  const { dataDir, retention } = config;
  const secrets = openSecrets(dataDir, outside);
  if (!secrets.ok) return secrets;
  const { key, auditKey, token } = secrets.value;
  const metrics = createMetrics(BROKER_VERSION);
  const { ledger, history } = openStores(world, log);
  const opened = openRegistry(world, { ledger, metrics }, log);
  if (!opened.ok) return opened;
  const fleet = opened.value;
  const audit = openAudited(world, { fleet, metrics }, { key: auditKey, log });
  const shared = { fleet, audit, clock, timers, metrics, log };
  const operators = openOperators({ ...shared, database: fleet.database });
  undo.push(operators.close);
  const queue = { key, record: ledger.appendOwn };
  const actors = openActors(world, shared, outside, queue, operators);
  const { commands, identities } = actors;
  const folder = join(dataDir, 'logs');
  const { requestsMax } = retention.logs;
  const logs = openLogs({
    ...{ folder, commands, ...shared, keptMax: requestsMax },
    stateOf: identities.stateOf,
  });
  undo.push(logs.close);
  const automatic = openAutomatic({ ...shared, logs, settings: config.logs.automatic });
  undo.push(automatic.stop);
  fleet.attachBy(automatic.requestOf);
  const newest = createNewest(clock.wallMs);
  fleet.onSamples(newest.take);
  fleet.onNews(auditTold(audit));
  const errors = openErrors({ fleet, clock, ageMsMax: retention.events.days * DAY_MS });
  fleet.onSamples(createDeliveryLag(metrics.deliveryLagSeconds));
  const { database } = fleet;
  undo.push(openBackups({ ...shared, config, configText: world.configText ?? '' }));
  undo.push(openRetention({ ...shared, database, retention, logs, errors }).stop);
  const sinks = openSinks(world, { ledger, fleet, logs }, log);
  metrics.watch({
    sessions: operators.sessions,
    identities: identities.counts,
    twins: identities.twins,
    logs: logs.countOpen,
    sinks: sinks.figures,
    errorKinds: errors.kinds,
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
    ...actors,
    logs,
    automatic,
    errors,
    sinks,
    newest,
    token,
  });
}
