// PM2 (AGPL: run as it is), pinned, from npm into a folder of the bench. It has no setting that finds a hang. Its
// version check, which would ask a server of its makers, is off: a bench talks to nobody.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../harness.ts';
import { type Peer, run, type Supervisor } from './peer.ts';
import type { Till } from './till.ts';
import { toolsDir } from './tools.ts';

const VERSION = '7.0.4';
const folder = (): string => join(toolsDir(), `pm2-${VERSION}`);
const program = (): string => join(folder(), 'node_modules', 'pm2', 'bin', 'pm2');

function missing(): Promise<string | undefined> | undefined {
  if (existsSync(program())) return undefined;
  const install = ['npm', 'install', '--silent', '--no-fund', '--no-audit', '--prefix', folder()];
  return run([...install, `pm2@${VERSION}`]).then(
    () => undefined,
    (error: Error) => `pm2 cannot be installed from npm: ${error.message}`,
  );
}

async function start(till: Till): Promise<Supervisor> {
  const home = join(till.dir, 'pm2');
  const env = { ...till.env, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true' };
  const pm2 = (...rest: string[]) => run([process.execPath, program(), ...rest], env);
  const pid = (): number | undefined => {
    const file = join(home, 'pm2.pid');
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
  };
  const log = join(home, 'pm2.log');
  await pm2('start', till.command[1], '--name', 'till', '--interpreter', till.command[0]);
  await pm2('save');
  return {
    pid,
    record: { file: log, found: /App \[till:\d+\] exited/ },
    output: () => [join(home, 'logs', 'till-out.log')],
    again: async () => {
      await pm2('resurrect');
    },
    stop: async () => {
      const daemon = pid();
      await pm2('kill');
      await until('the daemon of PM2 to end', () =>
        daemon === undefined || !existsSync(`/proc/${daemon}`) ? true : undefined,
      );
    },
  };
}

export const pm2Peers: readonly Peer[] = [
  {
    key: 'pm2',
    name: 'PM2',
    settings: 'as it comes (fork mode)',
    blind: 'it has no setting that sees a hang',
    missing,
    start,
  },
];
