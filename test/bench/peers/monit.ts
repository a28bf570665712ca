// monit (AGPL: run as it is): a process check with a pid file at the cycle of Debian's own monitrc, and its best for
// hangs, an http test at the shortest cycle (1 s) with the same three failures in a row as our probe. monit is
// nobody's parent: programs are started and ended by commands that its user writes, and so are kept short here. It
// tests nothing before the time-out of the start command is over (30 s by default), so that is short, too.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { foreground, needs, type Peer, type Supervisor } from './peer.ts';
import type { Till } from './till.ts';

const END_MS = 10_000;

/** As its manual advises: pid file, own session, output to a file. */
const starter = (till: Till): string => `#!/bin/sh
export ${Object.entries(till.env)
  .map(([name, value]) => `${name}='${value}'`)
  .join(' ')}
setsid ${till.command.join(' ')} >>${till.dir}/out.log 2>&1 </dev/null &
echo $! >${till.dir}/till.pid
`;
const stopper = (till: Till): string => `#!/bin/sh
kill -KILL "$(cat ${till.dir}/till.pid)"
`;

const rules = (till: Till, cycleSeconds: number, test: string): string => `
set daemon ${cycleSeconds}
set log ${till.dir}/monit.log
set pidfile ${till.dir}/monit.pid
set idfile ${till.dir}/monit.id
set statefile ${till.dir}/monit.state
check process till with pidfile ${till.dir}/till.pid
  start program = "/bin/sh ${till.dir}/start.sh" with timeout 2 seconds
  stop program = "/bin/sh ${till.dir}/stop.sh"
${test}`;

function start(till: Till, cycleSeconds: number, test: string): Supervisor {
  const config = join(till.dir, 'monitrc');
  writeFileSync(config, rules(till, cycleSeconds, test), { mode: 0o600 });
  writeFileSync(join(till.dir, 'start.sh'), starter(till));
  writeFileSync(join(till.dir, 'stop.sh'), stopper(till));
  const daemon = foreground(
    ['monit', '-I', '-c', config],
    join(till.dir, 'monit.out'),
    {},
    till.dir,
  );
  daemon.start();
  return {
    pid: daemon.pid,
    record: { file: join(till.dir, 'monit.log'), found: /error\s+: 'till'/ },
    output: () => [join(till.dir, 'out.log')],
    again: () => Promise.resolve(daemon.start()),
    stop: () => daemon.end('SIGTERM', END_MS),
  };
}

const http = (till: Till): string =>
  `  if failed host 127.0.0.1 port ${till.port} protocol http request "/healthz" ` +
  'with timeout 1 seconds for 3 cycles then restart\n';

export const monitPeers: readonly Peer[] = [
  {
    key: 'monit',
    name: 'monit',
    settings: "process check at the cycle of Debian's monitrc, 120 s",
    blind: 'a process check sees no hang; a crash at its next cycle, within 120 s',
    missing: needs('monit', 'monit'),
    start: (till) => Promise.resolve(start(till, 120, '')),
  },
  {
    key: 'monitHttp',
    name: 'monit, http test',
    settings:
      'http test each 1 s (the shortest cycle), 1 s time-out, 3 in a row; start time-out 2 s',
    phaseMs: 2_000,
    missing: needs('monit', 'monit'),
    start: (till) => Promise.resolve(start(till, 1, http(till))),
  },
];
