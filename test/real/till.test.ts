// The till's own verbs against a real agent: what a technician types, without any network.

import { execFile } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, Rig, until } from './agent-rig.ts';
import { plainEnvironment } from './plain-environment.ts';
import { status } from './recovery-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

type Ran = { readonly exit: number; readonly out: string; readonly err: string };

const tillwatch = (...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    const child = execFile(
      process.execPath,
      [resolve('cli/tillwatch.ts'), ...argv],
      { env: { ...plainEnvironment, TILLWATCH_RUN_DIR: join(rig.folder, 'run') } },
      (_error, out, err) => done({ exit: child.exitCode ?? -1, out, err }),
    );
  });

describe('at a till', () => {
  it('nobody answers where no agent runs', async () => {
    const ran = await tillwatch('status');
    expect(ran).toMatchObject({ exit: 69, out: '' });
    expect(ran.err).toMatch(/^tillwatch: no agent listens in .*ENOENT/);
  });

  it('a technician sees what runs, holds it, and lets it go; the socket is for the owner alone', async () => {
    rig.configure([fault('sale'), fault('sync', [], { after: ['sale'], mode: 'observe' })]);
    void rig.start();
    await rig.ready('sync');
    expect((await status(rig)).components).toHaveLength(2);
    expect(statSync(join(rig.folder, 'run', 'control.sock')).mode & 0o777).toBe(0o600);
    const shown = await tillwatch('status');
    expect(shown).toMatchObject({ exit: 0, err: '' });
    expect(shown.out).toContain('lane-1: 2 of 2 components ready');
    expect(shown.out).toMatch(/^sync +1\.0\.0 +ready .* observe /m);

    const held = await tillwatch('hold', '--for', '2m', '--reason', 'new printer', '--json');
    expect(held.exit).toBe(0);
    expect(JSON.parse(held.out)).toMatchObject({ reason: 'new printer' });
    const json = await tillwatch('status', '--json', '--config', rig.file);
    expect(JSON.parse(json.out)).toMatchObject({ hold: { reason: 'new printer' }, disk: 'normal' });

    const released = await tillwatch('hold', '--release');
    expect(released.out).toContain('the watchdog acts again');
    expect((await status(rig)).hold).toBeUndefined();
    expect((await tillwatch('hold', '--release')).out).toContain('it was not held');
  }, 60_000);

  it('the socket comes back when somebody has cleaned the folder', async () => {
    rig.configure([fault('sale')]);
    void rig.start();
    await rig.ready('sale');
    await status(rig);
    rmSync(join(rig.folder, 'run', 'control.sock'));
    await until('it is said', () =>
      rig.log().some(({ message }) => message === 'control socket: was gone and is there again'),
    );
    expect((await status(rig)).terminal).toBe('lane-1');
  });
});
