// The way to the broker: the sampler that fills the outbox with metrics and the link that empties it. Only
// wiring, so that agent.ts need not know what either of them wants.

import type { ComponentReading } from './component.ts';
import { type Link, startLink } from './link/link.ts';
import type { Rooms } from './rooms.ts';

export type UplinkSources = {
  readonly readComponents: () => ComponentReading[];
  readonly loopStats: () => { dropped: number; pauses: number; loopDelayMsMax: number };
  readonly channelRejected: () => Readonly<Record<string, number>>;
  readonly commandCounts: () => Readonly<Record<string, number>>;
  readonly onCommand: (data: Uint8Array) => void;
};

export type Uplink = {
  /** Gives the last words a second to arrive; the outbox keeps them in any case. */
  readonly stop: () => Promise<void>;
};

export function openUplink(rooms: Rooms, sources: UplinkSources): Uplink {
  const { config, ports, log, outbox } = rooms;
  const { clock, timers, random } = ports;
  const link: Link = startLink({
    terminal: config.terminal,
    broker: config.broker,
    backoff: config.link,
    onCommand: sources.onCommand,
    ...{ outbox, clock, timers, log, random },
  });
  return {
    stop: async () => {
      await link.stop();
    },
  };
}
