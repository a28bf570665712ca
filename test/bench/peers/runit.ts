// runit (Debian package runit): one runsv with its own logger, svlogd, as its manual sets it up. It restarts what
// ends, after a second, and looks at nothing else; it keeps no record of what it found.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { foreground, needs, type Peer, type Supervisor } from './peer.ts';
import type { Till } from './till.ts';

const END_MS = 10_000;

function start(till: Till): Supervisor {
  const service = join(till.dir, 'service');
  const kept = join(till.dir, 'kept');
  mkdirSync(join(service, 'log'), { recursive: true });
  mkdirSync(kept, { recursive: true });
  const exports = Object.entries(till.env).map(([name, value]) => `export ${name}='${value}'`);
  const lines = ['#!/bin/sh', ...exports, `exec ${till.command.join(' ')} 2>&1`, ''];
  writeFileSync(join(service, 'run'), lines.join('\n'), { mode: 0o755 });
  const logger = `#!/bin/sh\nexec svlogd ${kept}\n`;
  writeFileSync(join(service, 'log', 'run'), logger, { mode: 0o755 });
  const runsv = foreground(['runsv', service], join(till.dir, 'runsv.out'), {}, till.dir);
  runsv.start();
  return {
    pid: runsv.pid,
    record: undefined,
    output: () => readdirSync(kept).map((name) => join(kept, name)),
    again: () => Promise.resolve(runsv.start()),
    // runsv(8): TERM takes the service down and then ends runsv.
    stop: () => runsv.end('SIGTERM', END_MS),
  };
}

export const runitPeers: readonly Peer[] = [
  {
    key: 'runit',
    name: 'runit',
    settings: 'as it comes, with svlogd',
    blind: 'it looks at exits only',
    missing: needs('runsv', 'runit'),
    start: (till) => Promise.resolve(start(till)),
  },
];
