// What the tests of external components share: stand-ins for whoever starts a till's program by itself. A `systemctl`
// that keeps one real process, earlier in PATH than any other; and a kiosk's script that starts its own again and
// again. Everything lies in one temporary folder, and every process is ended by its pid.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { realPorts } from '../../agent/system.ts';
import type { Control, Exit, Life } from '../../agent/watchdog/control.ts';
import { createControls } from '../../agent/watchdog/controls.ts';
import { scan } from '../../agent/watchdog/tree.ts';
import { loadConfig } from '../../configuration/config.ts';

export const ports = realPorts();
export const FAULT = resolve('test/real/fault.ts');

export async function until<T>(
  what: string,
  look: () => T | undefined | false,
  ms = 20_000,
): Promise<T> {
  const untilMs = performance.now() + ms;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > untilMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}
export const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
export const isRunning = (pid: number): boolean =>
  scan(ports.files).some((stat) => stat.pid === pid);

/** Free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

/**
 * Keeps one unit as systemd would: its process is a child of a keeper in the background, which starts it again
 * (Restart=always, RestartSec=100ms) unless the unit was stopped.
 */
const SYSTEMCTL = `#!/bin/sh
folder=$(dirname "$0")/unit
case $1 in
show)
  pid=$(cat "$folder/pid" 2>/dev/null)
  if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then echo "$pid"; else echo 0; fi ;;
start)
  echo started >>"$folder/calls"
  rm -f "$folder/stopped"
  if [ -e "$folder/keeper" ] && kill -0 "$(cat "$folder/keeper")" 2>/dev/null; then exit 0; fi
  setsid sh -c '
    echo $$ >"$0/keeper"
    while [ ! -e "$0/stopped" ]; do
      setsid sh "$0/program" & echo $! >"$0/pid"
      echo $! >>"$0/lives"
      wait
      sleep 0.1
    done
    rm -f "$0/keeper"' "$folder" >/dev/null 2>&1 </dev/null &
  for i in $(seq 200); do
    pid=$(cat "$folder/pid" 2>/dev/null)
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && exit 0
    sleep 0.02
  done
  exit 1 ;;
stop)
  echo stopped >>"$folder/calls"
  touch "$folder/stopped"
  pid=$(cat "$folder/pid" 2>/dev/null)
  kill "$pid" 2>/dev/null
  for i in $(seq 100); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.02; done
  exit 1 ;;
*) exit 2 ;;
esac
`;

export class Outside {
  readonly folder = mkdtempSync(join(tmpdir(), 'tw outside '));
  readonly bin = join(this.folder, 'bin');
  readonly unit = join(this.bin, 'unit');
  readonly pidFile = join(this.folder, 'front.pid');
  readonly warnings: string[] = [];
  readonly exits: Exit[] = [];
  readonly #started: ChildProcess[] = [];
  readonly #cancels: (() => void)[] = [];
  #instances = 0;

  constructor() {
    mkdirSync(this.unit, { recursive: true });
    writeFileSync(join(this.bin, 'systemctl'), SYSTEMCTL);
    chmodSync(join(this.bin, 'systemctl'), 0o755);
  }

  /** One of deploy/examples, with this folder's files in place of the till's. */
  example(name: string): string {
    return readFileSync(resolve('deploy/examples', name), 'utf8')
      .replaceAll('/var/lib/tillwatch', join(this.folder, 'data'))
      .replaceAll('/run/tillwatch', join(this.folder, 'run'))
      .replaceAll('/run/kiosk', this.folder);
  }

  /** What the unit runs: a line of shell. */
  program(line: string): void {
    writeFileSync(join(this.unit, 'program'), `exec ${line}\n`);
  }

  lives(): number[] {
    return this.#lines('lives').map(Number);
  }
  calls(): string[] {
    return this.#lines('calls');
  }
  #lines(name: string): string[] {
    const path = join(this.unit, name);
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  }

  /** The loop of deploy/examples/external-kiosk.yaml. */
  kiosk(line: string): ChildProcess {
    const loop = `while :; do ${line} & echo "$!" >"$0"; echo "$!" >>"$1"; wait; done`;
    const lives = join(this.unit, 'lives');
    const child = spawn('sh', ['-c', loop, this.pidFile, lives], { stdio: 'ignore' });
    this.#started.push(child);
    return child;
  }

  control(yaml: string, change: Partial<typeof ports> = {}): Control {
    const loaded = loadConfig(yaml, this.folder);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    const log = {
      info: () => undefined,
      warn: (message: string) => this.warnings.push(message),
      error: (message: string) => this.warnings.push(message),
    };
    const every = (ms: number, run: () => void) => {
      const cancel = ports.timers.every(ms, run);
      this.#cancels.push(cancel);
      return cancel;
    };
    const timers = { ...ports.timers, every };
    const inherited = { PATH: `${this.bin}:${process.env['PATH'] ?? ''}` };
    const runDir = join(this.folder, 'run');
    return createControls(loaded.config, inherited, {
      runDir,
      log,
      ports: { ...ports, timers, ...change },
    });
  }

  async spawn(control: Control): Promise<Life> {
    const result = await this.tryToSpawn(control);
    if (!result.ok) throw new Error(result.reason);
    return result.value;
  }
  tryToSpawn(control: Control) {
    this.#instances += 1;
    const spec = {
      component: 'front',
      instance: `life-${this.#instances}`,
      token: 't',
      command: [],
    };
    const logFile = join(this.folder, `${spec.instance}.log`);
    return control.spawn({ ...spec, env: {}, logFile }, (exit) => this.exits.push(exit));
  }
  ended(count = 1): Promise<Exit> {
    return until(`end ${count}`, () => this.exits[count - 1]);
  }

  /** Ends who starts first, then what was started. */
  async clean(): Promise<void> {
    for (const cancel of this.#cancels) cancel(); // else a death is noted in a folder that is gone
    for (const child of this.#started) child.kill('SIGKILL');
    writeFileSync(join(this.unit, 'stopped'), '');
    const keepers = this.#lines('keeper').map(Number);
    const mine = scan(ports.files)
      .filter(({ pid }) =>
        ports.files.read(`/proc/${pid}/environ`, 65_536)?.includes(`PATH=${this.bin}:`),
      )
      .map(({ pid }) => pid);
    for (const pid of [...keepers, ...this.lives(), ...mine]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It was faster.
      }
    }
    await until('everything is gone', () => !this.lives().some(isRunning));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
