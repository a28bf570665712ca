// How the till stands with the centre, as plain data for whoever stands in front of it: identity, connection, what waits
// to be sent, and the clock. Beside `till-view.ts`, which is about components.

import type { TillAnswer } from '../protocol/till.ts';
import { configurationAtTill } from './configuration/view.ts';
import { tillIdentity } from './identity/open.ts';
import type { LinkStats } from './link/types.ts';
import type { Rooms } from './rooms.ts';

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, one) => all + one, 0);

/** @param link undefined before there is one. */
export function tillFacts(
  rooms: Pick<Rooms, 'config' | 'identity' | 'outbox' | 'configuration' | 'settings' | 'ports'>,
  link: LinkStats | undefined,
): Pick<TillAnswer, 'identity' | 'link' | 'outbox' | 'clock' | 'configuration'> {
  const { outbox, configuration, settings, ports } = rooms;
  const { time } = outbox;
  const { durable, bytes, batches, waiting, drops, deadLetters, damaged } = outbox.stats();
  const known = time.known();
  return {
    identity: tillIdentity(rooms),
    configuration: configurationAtTill(configuration, settings.isApplied, ports.clock.bootMs()),
    ...(link === undefined
      ? {}
      : { link: { connected: link.connected, connects: link.connects, reason: link.lastReason } }),
    outbox: {
      ...{ durable, bytes, deadLetters, damaged, batches: sum(batches), waiting: sum(waiting) },
      dropped: drops.reduce((all, { count }) => all + count, 0),
    },
    clock: { known, ...(known ? { offsetMs: Math.round(time.offsetMs()) } : {}) },
  };
}
