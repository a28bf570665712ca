// The real ports and the shim by themselves: the lock of a run directory across a kill, the clock against the
// kernel's, files, and the shim in every shell that is installed.

import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockRunDir, realPorts } from '../../agent/system.ts';
import { SHIM } from '../../agent/watchdog/shim.ts';

const SYSTEM = join(dirname(fileURLToPath(import.meta.url)), '../../agent/system.ts');
const { clock, files, timers } = realPorts();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw system '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the lock of a run directory', () => {
  it('is held by one, under every name of the directory, and can be released', async () => {
    const alias = `${folder}/alias`;
    mkdirSync(`${folder}/run`);
    symlinkSync(`${folder}/run`, alias);
    const lock = await lockRunDir(`${folder}/run`);
    const reason = `another agent (pid ${process.pid}) already runs with run directory ${alias}`;
    expect(await lockRunDir(alias)).toEqual({ ok: false, reason });
    const other = await lockRunDir(folder);
    expect(other.ok).toBe(true);
    if (!lock.ok || !other.ok) return;
    lock.value();
    other.value();
    const again = await lockRunDir(alias);
    expect(again.ok).toBe(true);
    if (again.ok) again.value();
  });

  it('ends with its owner, also by SIGKILL, and is not handed to its children', async () => {
    const code =
      `import { lockRunDir } from ${JSON.stringify(SYSTEM)}; import { spawn } from 'node:child_process';` +
      `const lock = await lockRunDir(process.argv[1]);` +
      `const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });` +
      `console.log(lock.ok, child.pid); setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', code, folder]);
    const line = await new Promise<string>((resolve) =>
      owner.stdout.once('data', (d) => resolve(`${d}`)),
    );
    const [held, child] = line.trim().split(' ');
    try {
      expect(held).toBe('true');
      expect(await lockRunDir(folder)).toMatchObject({ ok: false });
      owner.kill('SIGKILL');
      await new Promise((resolve) => owner.once('exit', resolve));
      const taken = await lockRunDir(folder);
      expect(taken.ok).toBe(true);
      if (taken.ok) taken.value();
    } finally {
      process.kill(Number(child), 'SIGKILL');
    }
  });

  it('says so when there is no such directory', async () => {
    const reason = `run directory ${folder}/none cannot be opened: ENOENT`;
    expect(await lockRunDir(`${folder}/none`)).toEqual({ ok: false, reason });
  });
});

describe('the real ports', () => {
  it('know the boot and how long ago it was', () => {
    expect(clock.bootId()).toMatch(/^[0-9a-f-]{36}$/);
    const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
    expect(Math.abs(clock.bootMs() - uptimeMs)).toBeLessThan(1_000);
    const drift = clock.bootMs() - clock.monotonicMs();
    expect(Math.abs(clock.bootMs() - clock.monotonicMs() - drift)).toBeLessThan(1_000);
  });

  it('do not turn a very long delay into none', async () => {
    let fired = false;
    const cancel = timers.after(2 ** 40, () => {
      fired = true;
    });
    await pause(20);
    cancel();
    expect(fired).toBe(false);
  });

  it('do not wait for whoever would write into a pipe with the name of a file', () => {
    execFileSync('mkfifo', [`${folder}/hold.json`]);
    const read = `import { realFiles } from '${dirname(SYSTEM)}/system/files.ts';
      console.log(JSON.stringify([realFiles.read('hold.json'), realFiles.readEnd('hold.json', 9)]));`;
    const said = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', read], {
      ...{ cwd: folder, timeout: 20_000, encoding: 'utf8' },
    });
    expect(JSON.parse(said)).toEqual([null, null]);
  }, 30_000);

  it('read the beginning and the end of a file, replace it whole, and take absence calmly', () => {
    const path = join(folder, 'new', 'file');
    expect(files.replace(path, 'x'.repeat(100_000).concat('end'), 0o600)).toMatchObject({
      ok: true,
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(files.read(path, 3)).toBe('xxx');
    expect(files.read(path)).toHaveLength(64 * 1024);
    expect(files.read(path, 200_000)).toHaveLength(100_003);
    expect(files.readEnd(path, 5)).toBe('xxend');
    expect(files.list(dirname(path))).toEqual(['file']);
    files.remove(path);
    expect([files.read(path), files.readEnd(path, 5), files.list(path)]).toEqual([
      undefined,
      undefined,
      [],
    ]);
    files.remove(path);
    expect(files.replace('/proc/nowhere/file', '', 0o600)).toMatchObject({ ok: false });
    expect(files.read('/proc/1/environ/none')).toBeUndefined();
  });
});

const shells = [['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(([name = '']) => {
  try {
    return execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name]).length > 0;
  } catch {
    return false;
  }
});

describe.each(shells.map((shell) => [shell.join(' '), shell] as const))(
  'the shim in %s',
  (_, shell) => {
    const run = (...command: string[]) => {
      const [program = '', ...flags] = shell;
      const args = [...flags, '-c', SHIM, 'tillwatch-shim', folder, 'i', ...command];
      const child = spawn(program, args, { detached: true, stdio: 'ignore' });
      const exit = new Promise((resolve) =>
        child.once('exit', (code, signal) => resolve(code ?? signal)),
      );
      return { child, exit };
    };
    const exitFile = () => readFileSync(join(folder, 'i.exit'), 'utf8');
    const pids = async () => {
      for (let n = 0; n < 1_000 && !existsSync(join(folder, 'i.pid')); n += 1) await pause(5);
      return readFileSync(join(folder, 'i.pid'), 'utf8').trim().split(' ').map(Number);
    };

    it('hands on exit codes and signals', async () => {
      for (const [script, status] of [
        ['exit 0', 0],
        ['exit 127', 127],
        ['exit 42', 42],
        ['kill -KILL $$', 137],
      ] as const) {
        const { exit } = run('sh', '-c', script);
        expect(await exit).toBe(status);
        expect(exitFile()).toBe(`${status}\n`);
        rmSync(join(folder, 'i.life'));
      }
    });

    it('hands on TERM, outlives a component that ignores it, and tells how that ended at last', async () => {
      const { child, exit } = run('sh', '-c', 'trap "" TERM; sleep 0.4; exit 9');
      const [shimPid, main] = await pids();
      expect(shimPid).toBe(child.pid);
      await pause(50);
      for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
        child.kill(signal);
        await pause(20);
      }
      expect(existsSync(`/proc/${main}/stat`)).toBe(true);
      expect(await exit).toBe(9);
      expect(exitFile()).toBe('9\n');
    });

    it('tells the true end of one that obeys TERM', async () => {
      for (let n = 0; n < 5; n += 1) {
        const { child, exit } = run(
          'sh',
          '-c',
          'trap "exit 5" TERM; echo >"$0"; while :; do sleep 0.01; done',
          join(folder, 'up'),
        );
        for (let wait = 0; wait < 1_000 && !existsSync(join(folder, 'up')); wait += 1)
          await pause(5);
        child.kill('SIGTERM');
        expect(await exit).toBe(5);
        for (const name of ['up', 'i.life', 'i.pid']) rmSync(join(folder, name));
      }
    });

    it('starts nothing when it cannot be watched', async () => {
      execFileSync('mkfifo', [join(folder, 'i.life')]);
      const { exit } = run('sh', '-c', `echo >"${folder}/up"`);
      expect(await exit).toBe(125);
      expect(existsSync(join(folder, 'up'))).toBe(false);
    });
  },
);
