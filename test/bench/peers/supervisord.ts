// supervisord (Debian package supervisor): as it comes, and with superlance's httpok, the listener that its own
// documentation names for programs that stop answering, at the shortest tick that there is (5 s). httpok comes from
// PyPI into a folder of the bench.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { foreground, needs, type Peer, run, type Supervisor } from './peer.ts';
import type { Till } from './till.ts';
import { toolsDir } from './tools.ts';

const SUPERLANCE = 'superlance==2.0.0';
const END_MS = 20_000;
const superlance = (): string => join(toolsDir(), 'superlance');

const environment = (till: Till): string =>
  Object.entries(till.env)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',');

const base = (till: Till, program: string): string => `
[supervisord]
nodaemon=true
logfile=${till.dir}/supervisord.log
pidfile=${till.dir}/supervisord.pid
childlogdir=${till.dir}
[unix_http_server]
file=${till.dir}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${till.dir}/s.sock
[program:till]
command=${till.command.join(' ')}
environment=${environment(till)}
stdout_logfile=${till.dir}/out.log
${program}`;

/** A hung loop hears no SIGTERM, so the shortest wait before SIGKILL, and to the group, as documented. */
const httpok = (till: Till): string => `stopwaitsecs=1
killasgroup=true
stopasgroup=true
[eventlistener:httpok]
command=/usr/bin/python3 -c "from superlance.httpok import main; main()" -p till -t 1 http://127.0.0.1:${till.port}/healthz
environment=PYTHONPATH="${superlance()}"
stderr_logfile=${till.dir}/httpok.log
events=TICK_5
`;

function start(till: Till, program: string): Supervisor {
  const config = join(till.dir, 'supervisord.conf');
  writeFileSync(config, base(till, program));
  const daemon = foreground(
    ['/usr/bin/supervisord', '-c', config],
    join(till.dir, 'supervisord.out'),
    {},
    till.dir,
  );
  daemon.start();
  return {
    pid: daemon.pid,
    record: {
      file: join(till.dir, 'supervisord.log'),
      found: /(exited: till|waiting for till|stopped: till)/,
    },
    output: () => [join(till.dir, 'out.log')],
    again: () => Promise.resolve(daemon.start()),
    stop: () => daemon.end('SIGTERM', END_MS),
  };
}

async function missingHttpok(): Promise<string | undefined> {
  const missing = await needs('supervisord', 'supervisor')();
  if (missing !== undefined || existsSync(join(superlance(), 'superlance'))) return missing;
  const pip = ['/usr/bin/python3', '-m', 'pip', 'install', '--quiet', '--no-deps', '--target'];
  return run([...pip, superlance(), SUPERLANCE]).then(
    () => undefined,
    (error: Error) => `superlance cannot be installed: ${error.message}`,
  );
}

export const supervisordPeers: readonly Peer[] = [
  {
    key: 'supervisord',
    name: 'supervisord',
    settings: 'as it comes',
    blind: 'it looks at exits only',
    missing: needs('supervisord', 'supervisor'),
    start: (till) => Promise.resolve(start(till, '')),
  },
  {
    key: 'supervisordHttpok',
    name: 'supervisord, httpok',
    settings: 'superlance httpok each 5 s (the shortest tick), 1 s time-out, stopwaitsecs=1, group',
    phaseMs: 5_000,
    missing: missingHttpok,
    start: (till) => Promise.resolve(start(till, httpok(till))),
  },
];
