// The agent's folders and what it keeps in them: the locks, its log, the outbox, counters, budgets and the
// components' output. Opened together because they live and end together; agent.ts gives them work.

import { join } from 'node:path';
import type { AgentConfig } from '../configuration/config.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import { useRules } from '../redact/index.ts';
import { type Budgets, openBudgets } from './budgets.ts';
import type { Keeper } from './configuration/keeper.ts';
import { Settings } from './deeds/settings.ts';
import { Stopped } from './deeds/stopped.ts';
import { type DiskKeeper, keepDisk } from './disk-keeper.ts';
import { openRing, type Ring } from './evidence/ring.ts';
import { identityFor } from './identity/open.ts';
import type { AgentIdentity } from './identity/types.ts';
import { LadderFile } from './ladder-file.ts';
import type { RealIntake } from './logs/intake/intake.ts';
import { openLogRooms } from './logs/intake/open.ts';
import type { JournalStore } from './logs/journal/types.ts';
import type { ErrorKinds } from './logs/kinds/kinds.ts';
import { kindsOf } from './logs/kinds/open.ts';
import { type OwnLog, openOwnLog } from './logs/own.ts';
import { openPulls } from './logs/pull/pulls.ts';
import type { Pulls } from './logs/pull/types.ts';
import { createRedactions, type Redactions } from './logs/redactions.ts';
import { Tails } from './logs/tail/tails.ts';
import type { Output } from './output.ts';
import type { Ports } from './ports.ts';
import { createPuncher } from './punch.ts';
import { openReserve } from './reserve.ts';
import { Counters } from './restarts.ts';
import { writeDurably, writeDurablyLater } from './system/disk.ts';
import { realJournalDisk } from './system/journal-files.ts';
import { startPull } from './system/pull-child.ts';
import { readSpace } from './system/space.ts';
import { lockRunDir, type Release, realPorts } from './system.ts';
import { OUTBOX_BYTES_MAX, openOutbox } from './telemetry/outbox.ts';
import { Spans } from './telemetry/spans.ts';
import type { Tallies } from './telemetry/tallies.ts';
import type { Outbox } from './telemetry/types.ts';
import { AGENT_VERSION } from './version.ts';

export type Overrides = {
  readonly ports?: Ports;
  /** Human lines on stderr. */
  readonly toStderr?: boolean;
  readonly environment?: NodeJS.ProcessEnv;
  /** The fleet's documents, with the folders that it has locked for them (begin.ts). */
  readonly configuration?: Keeper;
  readonly locks?: Release[];
};

export type Rooms = {
  readonly config: AgentConfig;
  readonly ports: Ports;
  readonly log: OwnLog;
  readonly locks: readonly Release[];
  readonly outbox: Outbox;
  readonly disk: DiskKeeper;
  readonly counters: Counters;
  readonly budgets: Budgets;
  readonly ladder: LadderFile;
  readonly output: Output;
  readonly tallies: Tallies;
  readonly journal: JournalStore;
  readonly intake: RealIntake;
  readonly pulls: Pulls;
  readonly tails: Tails;
  readonly redactions: Redactions;
  readonly errorKinds: ErrorKinds;
  readonly ring: Ring;
  readonly spans: Spans;
  readonly identity: AgentIdentity;
  readonly stopped: Stopped;
  readonly settings: Settings;
  /** Undefined: this agent has no file of its own, and takes no documents. */
  readonly configuration: Keeper | undefined;
  readonly environment: NodeJS.ProcessEnv;
};

export async function takeFolders(config: AgentConfig, ports: Ports): Promise<Result<Release[]>> {
  const locks: Release[] = [];
  const drop = (reason: string): Result<Release[]> => {
    for (const release of locks) release();
    return fail(reason);
  };
  // The data folder too: two agents on one outbox would lose batches of each other.
  for (const folder of new Set([config.runDir, config.dataDir])) {
    const made = ports.files.makeDirectory(folder, 0o700);
    if (!made.ok) return drop(made.reason);
    const lock = await lockRunDir(folder);
    if (!lock.ok) return drop(lock.reason);
    locks.push(lock.value);
  }
  return ok(locks);
}

/** Everything the agent keeps on disk, opened once the folders are its own. */
export function openRooms(config: AgentConfig, locks: Release[], overrides: Overrides): Rooms {
  const { ports = realPorts(), environment = process.env, toStderr = false } = overrides;
  const { dataDir, runDir, logDir } = config;
  const { clock, files, random } = ports;
  // Before the first line is written.
  useRules(config.redaction.rules);
  const redactions = createRedactions(clock);
  const ownLog = join(dataDir, 'agent.log');
  const log = openOwnLog(ownLog, toStderr, {
    found: (counts) => redactions.add('own_log', counts),
  });
  // Before anybody reads it.
  const settings = new Settings({ config, read: files.read, write: writeDurably, log });
  const puncher = createPuncher(ports, join(runDir, 'fallocate.said'));
  const reserve = openReserve({
    path: join(dataDir, 'reserve'),
    ...{ disk: realJournalDisk, puncher, files, monotonicMs: clock.monotonicMs, log },
  });
  const outbox = openOutbox({
    path: join(dataDir, 'outbox.db'),
    bytesMax: OUTBOX_BYTES_MAX,
    clock,
    log,
    sendMs: config.sampling.sendMs,
    makeRoom: reserve.release,
    random,
  });
  redactions.listen((fields) => {
    outbox.addEvent({ kind: 'redaction_missed', component: '', fields });
  });
  const counters = new Counters(
    { path: join(dataDir, 'restarts.json'), read: files.read, write: writeDurablyLater, log },
    config.components.map(({ name }) => name),
  );
  const budgets = openBudgets({ path: join(runDir, 'budgets.json'), clock, files, log });
  const ladder = new LadderFile({
    path: join(dataDir, 'ladder.json'),
    ...{ clock, files, log, timers: ports.timers, writeDurably: writeDurablyLater },
  });
  const logs = openLogRooms({
    ...{ config, ports, log, ownLog, redactions, puncher },
    report: (event) => outbox.addEvent(event),
  });
  const errorKinds = kindsOf({ dataDir, ports, outbox, intake: logs.intake, log });
  const names = config.components.map(({ name }) => name);
  const pulls = openPulls({
    path: join(dataDir, 'pulls.json'),
    folder: join(dataDir, 'journal'),
    ...{ journal: logs.journal, intake: logs.intake, components: names, redactions, startPull },
    ...{ rules: config.redaction.rules, share: config.logs.uplinkShare },
    ...{ read: files.read, write: writeDurably, time: outbox.time, timers: ports.timers },
    ...{ clock, random, log },
  });
  const tails = new Tails({
    ...{ pulls, intake: logs.intake, components: names, redactions, time: outbox.time },
    ...{ clock, timers: ports.timers, log },
  });
  const spans = new Spans({
    path: join(dataDir, 'traces.json'),
    components: config.components.map(({ name }) => name),
    ...{ version: AGENT_VERSION, clock, time: outbox.time, log },
    ...{ read: files.read, write: writeDurablyLater },
    add: (ended, resource) => outbox.addSpans(ended, resource),
  });
  const ring = openRing({ folder: join(dataDir, 'evidence'), ...config.evidence, clock, log });
  const disk = keepDisk({
    ...{ dataDir, logDir, limits: config.disk, evidenceBytesMax: config.evidence.bytesMax },
    ...{ readSpace, reserve, outbox, evidence: ring, hush: log.hush },
    output: { setRoom: logs.setRoom },
    ...{ report: (event) => outbox.addEvent(event), clock, timers: ports.timers, log },
  });
  const stopped = new Stopped({
    path: join(dataDir, 'stopped.json'),
    ...{ read: files.read, write: writeDurably, log },
  });
  const kept = { outbox, disk, counters, budgets, ladder, pulls, tails, redactions, ring, spans };
  const identity = identityFor(config, ports, outbox, log);
  const { configuration } = overrides;
  const own = { locks, environment, identity, stopped, settings, errorKinds, configuration };
  return { config, ports, log, ...own, ...kept, ...logs };
}
