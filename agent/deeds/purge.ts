// Deletes logs that are older than a moment, from the journal, after what was printed until then has been taken into it;
// and closed files of the agent's own log. What an open request still reads stays. Nothing else of the till is ever
// touched, and the answer says how many bytes went.

import { join } from 'node:path';
import { AGENT_LOG } from '../../protocol/commands.ts';
import { removeOwnOlder } from '../logs/intake/own-files.ts';
import type { Desk, Of } from './types.ts';

/** Output is in the journal within a second; a disk that is slower does not hold the answer up for ever. */
const CATCH_UP_MS_MAX = 10_000;

type Purged = { readonly bytes: number; readonly records: number; readonly kept: number };

export async function purge(
  { id, arguments: { component, beforeMs } }: Of<'purge_logs'>,
  { rooms, done }: Desk,
): Promise<void> {
  const { config, journal, intake, outbox } = rooms;
  // Lines carry the terminal's own time, a command the broker's.
  const ownMs = beforeMs - outbox.time.offsetMs();
  const configured = config.components.map(({ name }) => name);
  // What is left of a component that is no longer configured goes with all others.
  const names = new Set([...configured, AGENT_LOG, ...journal.components()]);
  const asked = [...names].filter((name) => component === undefined || name === component);
  await intake.catchUp(asked, CATCH_UP_MS_MAX);
  const detail: Record<string, Purged> = {};
  for (const name of asked) {
    const purged = await journal.purge(name, ownMs);
    const isOwn = name === AGENT_LOG && !configured.includes(AGENT_LOG);
    const own = isOwn ? removeOwnOlder(join(config.dataDir, 'agent.log'), ownMs) : 0;
    detail[name] = { ...purged, bytes: purged.bytes + own };
  }
  const all = Object.values(detail);
  const bytes = all.reduce((sum, one) => sum + one.bytes, 0);
  const kept = all.reduce((sum, one) => sum + one.kept, 0);
  const still = kept === 0 ? '' : `; ${kept} parts are still read by a request and stay`;
  const unread = intake.behind().filter((one) => asked.includes(one.component));
  const behind = unread.reduce((sum, one) => sum + one.bytes, 0);
  const left = behind === 0 ? '' : `; ${behind} bytes are not in the journal yet and stay`;
  done(id, true, `${bytes} bytes of logs were deleted${still}${left}`, { bytes, ...detail });
}
