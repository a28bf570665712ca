// The way to the broker: the sampler that fills the outbox with metrics and the link that empties it. Only
// wiring, so that agent.ts need not know what either of them wants.

import { join } from 'node:path';
import { Absence } from './absence/keeper.ts';
import { configurationReading } from './configuration/view.ts';
import { Doubts } from './identity/doubts.ts';
import { wayOf } from './identity/open.ts';
import { type Link, startLink } from './link/link.ts';
import { logReading } from './logs/kinds/open.ts';
import type { Rooms } from './rooms.ts';
import { writeDurablyLater } from './system/disk.ts';
import { parseWritten } from './telemetry/disk-samples.ts';
import { SamplingMemory } from './telemetry/memory.ts';
import { type SamplerOptions, startSampler } from './telemetry/sampler.ts';
import { AGENT_VERSION } from './version.ts';

export type UplinkSources = Pick<
  SamplerOptions,
  | 'readComponents'
  | 'loopStats'
  | 'evidenceStats'
  | 'channelRejected'
  | 'commandCounts'
  | 'isHeld'
  | 'signFailures'
> & {
  readonly onCommand: (data: Uint8Array) => void;
};

export type Uplink = {
  /** The agent ends in good order: why it was away is known to the next one. */
  readonly ending: (reason: string) => Promise<void>;
  /** How often is sampled and sent may be another by now. */
  readonly resample: () => void;
  readonly linkStats: Link['stats'];
  /** Gives the last words a second to arrive; the outbox keeps them in any case. */
  readonly stop: () => Promise<void>;
};

export function openUplink(rooms: Rooms, sources: UplinkSources): Uplink {
  const { config, disk, ports, log, outbox, output, pulls, redactions, tallies, identity } = rooms;
  const { clock, timers, random } = ports;
  const { onCommand, ...readings } = sources;
  // Whom the terminal speaks to itself: what is behind a proxy is the proxy's business.
  const nearest = (): string => {
    const way = wayOf(config, identity);
    return way.ok ? (way.value.proxy ?? way.value.addresses[0]).host : config.broker.host;
  };
  const absence = new Absence({
    ...{ runDir: config.runDir, dataDir: config.dataDir, host: nearest },
    ...{ clock, timers, files: ports.files, write: writeDurablyLater, time: outbox.time, log },
    knock: async (host) => (await import('./system/knock.ts')).knock(host),
    report: (event) => outbox.addEvent(event),
  });
  const doubts = new Doubts();
  const link = startLink({
    terminal: config.terminal,
    broker: () => wayOf(config, identity),
    backoff: config.link,
    chunks: pulls,
    watch: {
      up: () => {
        doubts.up();
        absence.up();
      },
      acknowledged: () => absence.acknowledged(),
      down: (reason) => {
        absence.down(reason);
        if (doubts.down(reason)) identity.doubted();
      },
    },
    floorMs: () => identity.notBeforeMs(),
    ...{ outbox, clock, timers, log, random, onCommand },
  });
  const shownOf = (): string => {
    const { credentials, brokers = [] } = identity.enrolment() ?? {};
    return [credentials?.certificate, ...brokers].join(' ');
  };
  let shown = shownOf();
  identity.onChange(() => {
    // Whom it believes from now on says nothing against the connection that stands.
    const before = shown;
    shown = shownOf();
    if (shown !== before) link.refresh();
  });
  const sampler = startSampler({
    ...config.sampling,
    ...readings,
    more: () => ({
      ...{ awayMs: absence.totalsMs(), certificateMs: identity.expiresMs() },
      ...{ unreadBytes: tallies.unreadBytes(), tailDropped: rooms.tails.dropped() },
      spansDropped: rooms.spans.dropped(),
      ...configurationReading(rooms.configuration),
    }),
    asked: (component) => tallies.samples(component),
    dataDir: config.dataDir,
    logDir: config.logDir,
    files: ports.files,
    agent: { version: AGENT_VERSION, node: process.versions.node },
    rules: new Map(config.components.map(({ name, metrics }) => [name, metrics])),
    memory: new SamplingMemory({
      path: join(config.dataDir, 'sampling.json'),
      ...{ read: ports.files.read, write: writeDurablyLater, clock, log },
    }),
    redactions: () => redactions.list(),
    redactionsMissed: () => {
      // With every sample: soon enough for what was held back because it had just been told.
      redactions.look();
      return redactions.missedCounts();
    },
    logs: () => logReading(rooms),
    diskStats: () => ({
      ...{ level: disk.level(), levels: disk.levels(), output: output.readings() },
      ...{ journal: rooms.journal.readings(), behind: rooms.intake.behind() },
      writtenBytes: parseWritten(ports.files.read('/proc/self/io')),
    }),
    ...{ outbox, link, clock, timers, log },
  });
  return {
    linkStats: () => link.stats(),
    resample: () => sampler.setPace(config.sampling),
    ending: (reason) => absence.end(reason),
    stop: async () => {
      sampler.stop();
      identity.stop();
      await link.stop();
    },
  };
}
