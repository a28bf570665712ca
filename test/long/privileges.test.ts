// What stands before a command so that it runs as another user and with nothing of the agent's; each program of it is
// the system's own, so it is asked for real. That nothing is left is seen in package.test.ts.

import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { asUser, bare } from '../../agent/system/privileges.ts';
import { need } from './parts.ts';

const isRoot = process.getuid?.() === 0;

describe('a command of another user', () => {
  it('runs as that user, in that user’s groups and home, and what reaches into setpriv comes after it', async (context) => {
    need(context, 'setpriv', 'util-linux');
    if (!isRoot) context.skip('this needs root');
    const env = { PATH: '/usr/bin:/bin', TOKEN: 'secret', LD_AUDIT: '/tmp/evil.so', PS4: '$(id)' };
    const words = [
      'sh',
      '-c',
      'id -un; id -gn; echo $HOME $USER $TOKEN $PS4; grep CapEff /proc/self/status',
    ];
    const told = await asUser(words, env, { user: 'daemon', group: 'lp' });
    if (!told.ok) throw new Error(told.reason);
    const { command, env: rest } = told.value;
    expect(Object.keys(rest).sort()).toEqual(['HOME', 'LOGNAME', 'PATH', 'TOKEN', 'USER']);
    const [before, after] = [
      command.slice(0, command.indexOf('--')),
      command.slice(command.indexOf('--')),
    ];
    expect(before.join(' ')).toMatch(/setpriv --reuid=1 --regid=7 --groups=[\d,]+ --inh-caps=-all/);
    expect(after.slice(1, 4)).toEqual(['/usr/bin/env', 'LD_AUDIT=/tmp/evil.so', 'PS4=$(id)']);
    // Never among the words that everybody can read [proc(5)].
    expect(command.join(' ')).not.toContain('secret');
    const [program = '', ...argv] = command.map((word) => word.replace('LD_AUDIT=', 'LD_NONE='));
    const { stdout } = spawnSync(program, argv, { env: rest, encoding: 'utf8' });
    expect(stdout.split('\n').slice(0, 4)).toEqual([
      'daemon',
      'lp',
      '/usr/sbin daemon secret $(id)',
      'CapEff:\t0000000000000000',
    ]);
  });

  it('is refused with a sentence when there is no such user or group', async (context) => {
    need(context, 'setpriv', 'util-linux');
    if (!isRoot) context.skip('this needs root');
    expect(await asUser(['true'], {}, { user: 'nobody-of-that-name' })).toEqual({
      ok: false,
      reason:
        'it is to run as nobody-of-that-name: there is no user nobody-of-that-name on this till',
    });
    expect(await asUser(['true'], {}, { user: 'daemon', group: 'no-such' })).toEqual({
      ok: false,
      reason: 'it is to run as daemon: there is no group no-such on this till',
    });
  });

  it('that is our own needs nothing', async (context) => {
    need(context, 'setpriv', 'util-linux');
    const own = userInfo().username;
    const told = await asUser(['true'], { A: 'b' }, { user: own });
    expect(told.ok && told.value.command).toEqual(['true']);
  });

  it('is started as it is by an agent that holds no capability to hand on', () => {
    expect(bare(['true'], { LD_PRELOAD: 'x' })).toEqual({
      ok: true,
      value: { command: ['true'], env: { LD_PRELOAD: 'x' } },
    });
  });

  it('is refused by an agent that may not become anybody', (context) => {
    need(context, 'setpriv', 'util-linux');
    if (!isRoot) context.skip('this needs root');
    const script = `const { asUser } = await import('./agent/system/privileges.ts');
      console.log((await asUser(['true'], {}, { user: 'daemon' })).reason);`;
    const as = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
    const { stdout } = spawnSync('setpriv', [...as, '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stdout).toContain('the agent may start nothing as somebody else (user 65534');
  });
});
