// The respawner that stands in for systemd, with real agents and real components: what ends the agent brings it
// back, with the same components, and what ends the respawner ends the agent and leaves them.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fault, isAlive, Rig, until } from '../real/agent-rig.ts';
import { need } from './parts.ts';

const SCRIPT = resolve('deploy/tillwatch-respawn');
const MAIN = resolve('agent/main.ts');
/** Above what passes between two sweeps in the file, far below the 30 s of a till. */
const SWEEP_SECONDS_MAX = 6;

type Shell = { readonly program: string; readonly argv: readonly string[] };
const SHELLS: readonly Shell[] = [
  { program: 'dash', argv: [] },
  { program: 'busybox', argv: ['ash'] },
];

class Respawned {
  readonly rig = new Rig();
  readonly #process: ChildProcess;
  readonly ended: Promise<number | null>;
  #stderr = '';

  constructor({ program, argv }: Shell, command?: readonly string[]) {
    this.rig.configure([fault('sale')]);
    const runDir = join(this.rig.folder, 'run');
    mkdirSync(runDir, { mode: 0o700 });
    const agent = command ?? [process.execPath, MAIN, '--config', this.rig.file];
    this.#process = spawn(program, [...argv, SCRIPT, runDir, ...agent], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, TILLWATCH_SWEEP_SECONDS_MAX: String(SWEEP_SECONDS_MAX) },
    });
    this.#process.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    this.ended = new Promise((done) => this.#process.once('exit', done));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  stderr(): string {
    return this.#stderr;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  agents(): number[] {
    return this.rig
      .log()
      .filter(({ message }) => message === 'agent started')
      .map(({ pid }) => pid ?? 0);
  }

  /** @returns the pid of the n-th agent, once it has begun. */
  agent(n: number): Promise<number> {
    return until(`agent ${n} has started`, () => this.agents()[n - 1]);
  }

  adopted(n: number): unknown {
    return this.rig.log().filter(({ message }) => message === 'agent started')[n - 1]?.['adopted'];
  }

  async clean(): Promise<void> {
    // TERM takes the agent along; one that was stopped by a test needs more than that.
    for (const pid of this.agents()) if (isAlive(pid)) process.kill(pid, 'SIGCONT');
    this.kill('SIGTERM');
    await this.ended;
    await this.rig.clean();
  }
}

/** Shells of this respawner, by the folder in their arguments: the main one and the one that watches. */
const shellsOf = (folder: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return command.includes(SCRIPT) && command.includes(folder) && isAlive(pid);
      } catch {
        return false; // it ended between two looks
      }
    });

const open: Respawned[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.clean();
});
function respawn(shell: Shell, command?: readonly string[]): Respawned {
  const one = new Respawned(shell, command);
  open.push(one);
  return one;
}
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

describe.each(SHELLS)('the respawner in $program', (shell) => {
  const needShell = (context: Parameters<typeof need>[0]): void =>
    need(context, shell.program, shell.program);

  it('starts an agent again that was killed, and the component runs on', async (context) => {
    needShell(context);
    const one = respawn(shell);
    const component = await one.rig.ready('sale');
    const first = await one.agent(1);
    const killedMs = performance.now();
    process.kill(first, 'SIGKILL');
    const second = await one.agent(2);
    expect(performance.now() - killedMs).toBeGreaterThan(900);
    expect(second).not.toBe(first);
    expect(one.adopted(2)).toEqual(['sale']);
    expect(one.rig.copies('sale')).toEqual([component]);
    expect(one.stderr()).toContain('the agent ended with 137, it is started again in 1 s');
  });

  it('kills an agent that stopped sweeping, and the component runs on', async (context) => {
    needShell(context);
    const one = respawn(shell);
    const component = await one.rig.ready('sale');
    const first = await one.agent(1);
    // A healthy one is left alone for longer than the limit.
    await sleep(SWEEP_SECONDS_MAX * 1_500);
    expect(one.agents()).toEqual([first]);
    process.kill(first, 'SIGSTOP');
    await one.agent(2);
    expect(isAlive(first)).toBe(false);
    expect(one.stderr()).toMatch(/\(pid \d+\) has not swept for \d+ s .*: killing it/);
    expect(one.adopted(2)).toEqual(['sale']);
    expect(one.rig.copies('sale')).toEqual([component]);
  });

  it('passes TERM on, ends with the agent, and leaves the component and nothing else', async (context) => {
    needShell(context);
    const one = respawn(shell);
    const component = await one.rig.ready('sale');
    const first = await one.agent(1);
    one.kill('SIGTERM');
    expect(await one.ended).toBe(0);
    expect(isAlive(first)).toBe(false);
    expect(one.rig.log().some(({ message }) => message === 'agent ends: SIGTERM')).toBe(true);
    expect(isAlive(component)).toBe(true);
    expect(shellsOf(one.rig.folder)).toEqual([]);
  });
});

describe('the respawner', () => {
  /** A stand-in for the agent that does not sweep: what matters is how it ends. */
  function standIn(script: string): Respawned {
    const one = respawn({ program: 'sh', argv: [] }, ['/bin/sh', '-c', script]);
    return one;
  }

  it.each([64, 69])(
    'waits ten seconds after sysexits %i, with its sentence left to read',
    async (code) => {
      const one = standIn(`echo "why it ended" >&2; exit ${code}`);
      await until('it says so', () =>
        one.stderr().includes(`the agent ended with ${code}, it is started again in 10 s`),
      );
      expect(one.stderr()).toMatch(/^why it ended\n/);
      await sleep(3_000);
      expect(one.stderr().match(/why it ended/g)).toHaveLength(1);
      one.kill('SIGTERM');
      const endedMs = performance.now();
      expect(await one.ended).toBe(0);
      expect(performance.now() - endedMs).toBeLessThan(3_000);
    },
  );

  it('loses no signal, whenever it comes', async () => {
    // A stand-in that ends at once is always just ending, waited for, or being started.
    for (let round = 0; round < 20; round += 1) {
      const one = standIn('trap "exit 0" TERM; sleep 0.0$$ & wait; exit 0');
      await sleep(round * 7);
      one.kill('SIGTERM');
      const code = await Promise.race([one.ended, sleep(10_000).then(() => 'still there')]);
      // null: the signal was there before the shell could say what it does with it.
      expect([0, 143, null], `round ${round}`).toContain(code);
      open.splice(open.indexOf(one), 1);
      rmSync(one.rig.folder, { recursive: true, force: true });
    }
  });

  it('lets an agent live whose folder nobody can write', async () => {
    const one = standIn('exec sleep 600');
    // Not by its mode: root writes everywhere.
    rmSync(join(one.rig.folder, 'run'), { recursive: true });
    await until('it says so', () => one.stderr().includes('cannot be written'), 60_000);
    expect(one.stderr()).not.toContain('killing');
  });

  it('says how it is used, and refuses a limit that is none', () => {
    const run = (argv: readonly string[], seconds: string): string => {
      try {
        return execFileSync('sh', [SCRIPT, ...argv], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, TILLWATCH_SWEEP_SECONDS_MAX: seconds },
        });
      } catch (error) {
        const { status, stderr } = error as { status: number; stderr: string };
        return `${status} ${stderr}`;
      }
    };
    expect(run([], '30')).toMatch(/^64 .*RUNDIR AGENT/);
    for (const seconds of ['0', '-1', '1.5', 'x', '08']) {
      expect(run(['/tmp', 'true'], seconds), seconds).toMatch(/^64 .*whole number/);
    }
  });
});

describe('the start of the agent on a till', () => {
  it('gives Node the built agent, with its flags before and our arguments behind', () => {
    const script = resolve('deploy/tillwatch-agent');
    // echo in place of Node: what it was given is what it prints.
    const asked = execFileSync(script, ['--config', '/nowhere/agent.yaml', '--help'], {
      encoding: 'utf8',
      env: { ...process.env, TILLWATCH_NODE: '/bin/echo' },
    });
    expect(asked).toMatch(/dist\/agent\.mjs --config \/nowhere\/agent\.yaml --help\n$/);
  });
});

it('writes through no name that lies in a folder of another user', async (context) => {
  need(context, 'dash', 'dash');
  const folder = mkdtempSync(join(tmpdir(), 'tw-respawn-'));
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'the system’s\n');
  symlinkSync(victim, join(folder, 'respawn'));
  const child = spawn('dash', [SCRIPT, folder, 'sleep', '60'], {
    env: { ...process.env, TILLWATCH_SWEEP_SECONDS_MAX: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (chunk) => {
    told += chunk;
  });
  await until('it is killed', () => told.includes('killing it'));
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(readFileSync(victim, 'utf8')).toBe('the system’s\n');
  expect(readdirSync(folder).sort()).toEqual(['respawn', 'victim']);
  rmSync(folder, { recursive: true });
});
