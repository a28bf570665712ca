// A real agent process in a folder of its own, for tests: started from source, read by its log, and put away
// with everything it started, found by the folder's name in their environment and ended by pid.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';

export type LogLine = {
  readonly level: string;
  readonly message: string;
  readonly component?: string;
  readonly pid?: number;
  readonly cause?: string;
  readonly to?: string;
  readonly [field: string]: unknown;
};
export type Ended = { readonly code: number | null; readonly stderr: string };

export const FAULT = resolve('test/real/fault.ts');
const MAIN = resolve('agent/main.ts');

export const fault = (name: string, knobs: readonly string[] = [], more: object = {}) => ({
  name,
  command: [process.execPath, FAULT, ...knobs],
  version: '1.0.0',
  ...more,
});

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

/** A probe of that page. */
export const http = (port: number) => ({ kind: 'http', url: `http://127.0.0.1:${port}/` });

export async function until<T>(
  what: string,
  look: () => T | undefined | false,
  withinMs = 45_000,
): Promise<T> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > untilMs) throw new Error(`never happened: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export const isAlive = (pid: number): boolean => {
  try {
    const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
    return state !== undefined && state !== 'Z';
  } catch {
    return false;
  }
};

export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'tw-agent-'));
  readonly file = join(this.folder, 'agent.yaml');
  agent: ChildProcess | undefined;

  /** Writes the configuration; the broker is one that refuses, unless given. */
  configure(components: readonly object[], more: object = {}): void {
    const config = {
      terminal: 'lane-1',
      dataDir: 'data',
      runDir: 'run',
      broker: { plainText: true, host: '127.0.0.1', port: 1 },
      link: { reconnectMsMin: 60_000, reconnectMsMax: 60_000 },
      components,
      ...more,
    };
    writeFileSync(this.file, stringify(config));
  }

  /** @returns its end; it runs on meanwhile. */
  start(env: Readonly<Record<string, string | undefined>> = {}): Promise<Ended> {
    const agent = spawn(process.execPath, [MAIN, '--config', this.file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.agent = agent;
    let stderr = '';
    agent.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    return new Promise((done) => agent.once('close', (code) => done({ code, stderr })));
  }

  log(): LogLine[] {
    let text: string;
    try {
      text = readFileSync(join(this.folder, 'data', 'agent.log'), 'utf8');
    } catch {
      return [];
    }
    // The last line may be half written.
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  }

  lines(component: string): LogLine[] {
    return this.log().filter((line) => line.component === component);
  }

  /** Waits for the n-th life of a component to be ready. @returns its pid. */
  ready(component: string, life = 1): Promise<number> {
    return until(`${component} is ready for the ${life}. time`, () => {
      const times = this.lines(component).filter((line) => line.to === 'ready');
      return times[life - 1]?.pid;
    });
  }

  /** Waits for the whole story of one failure. @returns what opened it and what ended it. */
  async healed(component: string): Promise<{ opened: LogLine; recovered: LogLine }> {
    const recovered = await until(`${component} is healed`, () =>
      this.lines(component).find((line) => line.message.endsWith('incident_recovered')),
    );
    const opened = this.lines(component).find((line) => line.message.includes('incident opened'));
    if (opened === undefined) throw new Error('recovered from nothing');
    return { opened, recovered };
  }

  /** Processes that carry this folder in their environment. */
  marked(): number[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map(Number).filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
        return environment.includes(`TILLWATCH_SOCKET=${this.folder}/`) && isAlive(pid);
      } catch {
        return false;
      }
    });
  }

  /** Copies of a component's own process; its shell shim has the same marks and is left out. */
  copies(component: string): number[] {
    return this.marked().filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return (
          environment.split('\0').includes(`TILLWATCH_COMPONENT=${component}`) &&
          !command.includes('tillwatch-shim')
        );
      } catch {
        return false; // it ended between two looks
      }
    });
  }

  async clean(): Promise<void> {
    const { agent } = this;
    if (agent?.pid !== undefined && agent.exitCode === null && agent.signalCode === null) {
      agent.kill('SIGKILL');
      await new Promise((done) => agent.once('exit', done));
    }
    for (const pid of this.marked()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It was faster.
      }
    }
    await until('everything is gone', () => this.marked().length === 0);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
