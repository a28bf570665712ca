// The installer by itself, with archives of a few files, below a folder that stands for a mounted system: what it puts
// where, what it keeps, what it refuses, and that it ends well whenever it is killed.

import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { need } from './parts.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-install-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Over the time that a whole run takes. */
const KILLS = 12;

type Ran = { readonly code: number; readonly text: string };
/** What the whole machine has to write is not this test's to wait for. */
const bin = join(folder, 'bin');
mkdirSync(bin);
writeFileSync(join(bin, 'sync'), '#!/bin/sh\n', { mode: 0o755 });
const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
const run = (program: string, ...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    execFile(program, argv, { env }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code ?? 1), text: out + err });
    });
  });

/** An archive of two files: what is tried with it is the installer. */
function smallArchive(version: string): string {
  const small = join(folder, `small-${version}`);
  cpSync('deploy', join(small, 'deploy'), { recursive: true });
  cpSync('deploy/install.sh', join(small, 'install.sh'));
  writeFileSync(join(small, 'VERSION'), `${version}\n`);
  writeFileSync(join(small, 'PLATFORM'), 'linux-x64\n');
  const sum = 'find . -type f ! -name SHA256SUMS | cut -c 3- | sort | xargs sha256sum > SHA256SUMS';
  execFileSync('sh', ['-c', sum], { cwd: small });
  return small;
}
const install = (shell: readonly string[], from: string, ...argv: string[]): Promise<Ran> => {
  const [program = 'sh', ...rest] = [...shell, join(from, 'install.sh'), ...argv];
  return run(program, ...rest);
};

describe.each([['dash'], ['busybox ash']])('the installer, read by %s', (words) => {
  const shell = words.split(' ');
  const image = join(folder, `image-${shell[0]}`);
  const opt = join(image, 'opt', 'tillwatch');
  const current = () => readFileSync(join(opt, 'current', 'VERSION'), 'utf8').trim();
  const at = ['--root', image];
  /** As if a system with systemd was mounted there. */
  const units = join(image, 'etc', 'systemd', 'system');

  beforeAll(() => mkdirSync(join(image, 'usr', 'lib', 'systemd', 'system'), { recursive: true }));

  it('puts a release into an image, with its user and units, and keeps what is configured', async (context) => {
    need(context, shell[0] ?? '', shell[0] ?? '');
    if (process.getuid?.() !== 0) context.skip('this needs root');
    const one = smallArchive('1.0.0');
    expect((await install(shell, one, 'upgrade', ...at)).code).toBe(66);
    const first = await install(shell, one, ...at, '--user', 'till');
    expect(first.code, first.text).toBe(0);
    expect(current()).toBe('1.0.0');
    expect(readFileSync(join(image, 'etc', 'passwd'), 'utf8')).toMatch(/^till:x:999:999:/m);
    const unit = readFileSync(join(units, 'tillwatch-agent.service'), 'utf8');
    expect(unit).toContain('\nUser=till\nGroup=till\n');
    expect(existsSync(join(units, 'sockets.target.wants', 'tillwatch-helper.socket'))).toBe(true);
    writeFileSync(join(image, 'etc', 'tillwatch', 'agent.yaml'), 'mine\n');
    const again = await install(shell, one, ...at);
    expect(again.code, again.text).toBe(0);
    expect(readFileSync(join(image, 'etc', 'tillwatch', 'agent.yaml'), 'utf8')).toBe('mine\n');
    expect(statSync(join(image, 'var', 'lib', 'tillwatch')).uid).toBe(999);
  });

  it('keeps the release before, and no third', async (context) => {
    if (process.getuid?.() !== 0) context.skip('this needs root');
    for (const version of ['1.1.0', '1.2.0']) {
      const ran = await install(shell, smallArchive(version), 'upgrade', ...at);
      expect(ran.code, ran.text).toBe(0);
    }
    expect(readdirSync(join(opt, 'releases')).sort()).toEqual(['1.1.0', '1.2.0']);
    expect((await install(shell, join(opt, 'current'), 'rollback', ...at)).text).toContain(
      'was 1.2.0, is 1.1.0',
    );
    expect(current()).toBe('1.1.0');
    const wrong = await install(shell, join(opt, 'current'), 'rollback', '--to', '9', ...at);
    expect([wrong.code, wrong.text]).toEqual([66, expect.stringContaining('there: 1.1.0 1.2.0')]);
  });

  it('changes nothing for an archive that is damaged', async (context) => {
    if (process.getuid?.() !== 0) context.skip('this needs root');
    const bad = smallArchive('1.3.0');
    writeFileSync(join(bad, 'deploy', 'tillwatch-agent'), 'cut');
    const refused = await install(shell, bad, 'upgrade', ...at);
    expect(refused.code).toBe(65);
    expect(refused.text).toContain('a file of the archive is damaged or missing');
    expect(current()).toBe('1.1.0');
    rmSync(bad, { recursive: true });
  });

  it('killed at any moment and run again, it ends well', async (context) => {
    if (process.getuid?.() !== 0) context.skip('this needs root');
    const archives = ['2.0.0', '2.1.0'].map(smallArchive);
    const other = () => archives[current() === '2.0.0' ? 1 : 0] ?? '';
    const begunMs = Date.now();
    expect((await install(shell, other(), 'upgrade', ...at)).code).toBe(0);
    const wholeMs = Date.now() - begunMs;
    // Each goes to the other version, as long as the last one got there.
    for (let step = 1; step <= KILLS; step += 1) {
      const seconds = (wholeMs * step) / KILLS / 1_000;
      const command = `${words} ${other()}/install.sh upgrade --root ${image} & p=$!; sleep ${seconds}; kill -9 $p; wait $p`;
      await run('sh', '-c', command);
      // Whatever was reached, what `current` leads to is whole.
      const whole = await run('sh', '-c', `cd ${opt}/current && sha256sum -c --quiet SHA256SUMS`);
      expect(whole, `killed after ${seconds} s`).toEqual({ code: 0, text: '' });
    }
    const next = archives[0] ?? '';
    const ended = await install(shell, next, 'upgrade', ...at);
    expect(ended.code, ended.text).toBe(0);
    expect(current()).toBe('2.0.0');
    expect(readdirSync(opt).sort()).toEqual(['current', 'installed', 'previous', 'releases']);
    expect(readdirSync(join(opt, 'releases'))).toHaveLength(2);
  });

  it('leaves the data, and with --purge nothing', async (context) => {
    if (process.getuid?.() !== 0) context.skip('this needs root');
    const from = smallArchive('2.0.0');
    expect((await install(shell, from, 'uninstall', ...at)).code).toBe(0);
    expect([existsSync(opt), existsSync(join(image, 'etc', 'tillwatch'))]).toEqual([false, true]);
    // A component that runs on writes its notes, and its end.
    const notes = join(image, 'run', 'tillwatch', 'components');
    mkdirSync(notes, { recursive: true });
    const writes = `i=0; while [ -d '${notes}' ] && [ $i -lt 20000 ]; do i=$((i + 1)); echo >'${notes}/'$i; done`;
    const writer = run('sh', '-c', writes);
    while (readdirSync(notes).length < 500) await new Promise((done) => setTimeout(done, 10));
    const purged = await install(shell, from, 'uninstall', '--purge', ...at);
    expect(purged.code, purged.text).toBe(0);
    expect(existsSync(join(image, 'run', 'tillwatch'))).toBe(false);
    await writer;
    const left = readdirSync(image, { recursive: true, withFileTypes: true });
    expect(
      left
        .filter((entry) => !entry.isDirectory())
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['group', 'passwd']);
    expect(readFileSync(join(image, 'etc', 'passwd'), 'utf8')).toBe('');
  });
});
