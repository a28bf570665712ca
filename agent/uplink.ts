// The way to the broker: the sampler that fills the outbox with metrics and the link that empties it. Only
// wiring, so that agent.ts need not know what either of them wants.

import { startLink } from './link/link.ts';
import type { Rooms } from './rooms.ts';
import { parseWritten } from './telemetry/disk-samples.ts';
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
  /** Gives the last words a second to arrive; the outbox keeps them in any case. */
  readonly stop: () => Promise<void>;
};

export function openUplink(rooms: Rooms, sources: UplinkSources): Uplink {
  const { config, disk, ports, log, outbox, output, pulls, redactions } = rooms;
  const { clock, timers, random } = ports;
  const { onCommand, ...readings } = sources;
  const link = startLink({
    terminal: config.terminal,
    broker: config.broker,
    backoff: config.link,
    chunks: pulls,
    ...{ outbox, clock, timers, log, random, onCommand },
  });
  const sampler = startSampler({
    ...config.sampling,
    ...readings,
    dataDir: config.dataDir,
    logDir: config.logDir,
    files: ports.files,
    agent: { version: AGENT_VERSION, node: process.versions.node },
    redactions: () => redactions.list(pulls.counts()),
    diskStats: () => ({
      ...{ level: disk.level(), levels: disk.levels(), output: output.readings() },
      writtenBytes: parseWritten(ports.files.read('/proc/self/io')),
    }),
    ...{ outbox, link, clock, timers, log },
  });
  return {
    stop: async () => {
      sampler.stop();
      await link.stop();
    },
  };
}
