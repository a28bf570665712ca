// Deletes logs that are older than a moment: output of components (output-purge.ts) and closed files of the agent's own
// log. Nothing else of the till is ever touched, and the answer says how many bytes went.

import { join } from 'node:path';
import { AGENT_LOG } from '../../protocol/commands.ts';
import { olderThan, removeOwnOlder } from '../logs/older.ts';
import type { Purged } from '../output-purge.ts';
import type { Desk, Of } from './types.ts';

export async function purge(
  { id, arguments: { component, beforeMs } }: Of<'purge_logs'>,
  { rooms, done }: Desk,
): Promise<void> {
  const { config, output, outbox, ports } = rooms;
  // Lines carry the terminal's own time, a command the broker's.
  const ownMs = beforeMs - outbox.time.offsetMs();
  const names = config.components.map(({ name }) => name);
  const asked = names.filter((name) => component === undefined || name === component);
  const detail: Record<string, Purged> = {};
  for (const name of asked) {
    detail[name] = await output.purge(name, {
      beforeMs: ownMs,
      olderThan: (path, holes) => olderThan(path, holes, ownMs, ports),
    });
  }
  const isOwn = component === undefined || (component === AGENT_LOG && asked.length === 0);
  if (isOwn) {
    const bytes = removeOwnOlder(join(config.dataDir, 'agent.log'), ownMs);
    detail[AGENT_LOG] = { bytes, files: 0, kept: 0 };
  }
  const all = Object.values(detail);
  const bytes = all.reduce((sum, one) => sum + one.bytes, 0);
  const kept = all.reduce((sum, one) => sum + one.kept, 0);
  const still = kept === 0 ? '' : `; ${kept} files are still read by a request and stay`;
  done(id, true, `${bytes} bytes of logs were deleted${still}`, { bytes, ...detail });
}
