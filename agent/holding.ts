// The hold of a till, joined to who has to hear of it: the supervisor, which then only watches, the log and the centre.
// Only wiring.

import { join } from 'node:path';
import { Hold } from './hold.ts';
import type { Rooms } from './rooms.ts';
import type { Supervisor } from './supervisor.ts';

export function openHold(rooms: Rooms, supervisor: () => Pick<Supervisor, 'hold'>): Hold {
  const { config, ports, log, outbox } = rooms;
  return new Hold({
    path: join(config.runDir, 'hold.json'),
    ...{ ...ports, log },
    changed: (active, { leftMs, untilMs: _, ...view }) => {
      const until = active ? { untilMs: Math.round(outbox.time.nowMs() + leftMs) } : {};
      const what = active ? 'the till is held' : 'the till is no longer held';
      log.warn(what, { ...view, leftMs });
      outbox.addEvent({ kind: 'hold', component: '', fields: { active, ...view, ...until } });
      supervisor().hold(active);
    },
  });
}
