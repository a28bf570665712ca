// Runs components of the reference terminal as real processes for tests: free ports, a folder of their
// own, and an end by pid for everything that was started.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { request } from '../../terminal/shared/request.ts';
import { plainEnvironment } from './plain-environment.ts';

const NAMES = { sale: 'sale', sync: 'sync', hardware: 'hardware', centre: 'centre' } as const;
export type Name = keyof typeof NAMES;

export type Told = { readonly port: number; readonly pid: number };
export type Program = {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
};
export type Json = Record<string, unknown>;
export type Reply = { readonly status: number; readonly json: Json };

export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = 20_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await pause(15);
  }
}

export class Rig {
  readonly dir = mkdtempSync(join(tmpdir(), 'tw-terminal-'));
  readonly #programs = new Set<Program>();

  /** Where a component keeps its data; its port file is there too. */
  folder(name: Name): string {
    return join(this.dir, name);
  }

  portFileUrl(name: Name): string {
    return pathToFileURL(join(this.folder(name), `${name}.json`)).href;
  }

  spawn(name: Name, env: Record<string, string> = {}): Program {
    const folder = this.folder(name);
    const child = spawn(process.execPath, [`terminal/${name}/main.ts`], {
      env: {
        ...plainEnvironment,
        POS_DATA_DIR: folder,
        CENTRE_DATA_DIR: folder,
        POS_SALE_PORT: '0',
        POS_SYNC_PORT: '0',
        POS_HARDWARE_PORT: '0',
        CENTRE_PORT: '0',
        POS_SALE_URL: this.portFileUrl('sale'),
        POS_HARDWARE_URL: this.portFileUrl('hardware'),
        POS_CENTRE_URL: this.portFileUrl('centre'),
        POS_PRICES_FILE: join(this.dir, 'prices.json'),
        POS_STORE: 'berlin-1',
        POS_TERMINAL: 'lane-7',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    const ended = new Promise<{ code: number | null; signal: string | null }>((done) => {
      child.once('close', (code, signal) => done({ code, signal }));
    });
    const program = { child, output: () => output, ended };
    this.#programs.add(program);
    return program;
  }

  /** Starts a component and waits until it serves. */
  async start(name: Name, env: Record<string, string> = {}): Promise<Program> {
    const program = this.spawn(name, env);
    await until(`${name} to be ready`, () => {
      if (program.child.exitCode !== null) throw new Error(program.output());
      return this.told(name)?.pid === program.child.pid ? true : undefined;
    });
    return program;
  }

  told(name: Name): Told | undefined {
    try {
      return JSON.parse(readFileSync(join(this.folder(name), `${name}.json`), 'utf8')) as Told;
    } catch {
      return undefined;
    }
  }

  /** @returns undefined when nobody answered. */
  async ask(name: Name, method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown) {
    const asked = await request(this.portFileUrl(name), { method, path, body, timeoutMs: 5_000 });
    if (!asked.ok) return undefined;
    const { status, body: text } = asked.value;
    const json = text.startsWith('{') ? (JSON.parse(text) as Json) : { text };
    return { status, json } satisfies Reply;
  }

  /** @returns the value of a series such as `pos_lane_state{state="open"}`. */
  async metric(name: Name, series: string): Promise<number | undefined> {
    const text = String((await this.ask(name, 'GET', '/metrics'))?.json['text'] ?? '');
    const line = text.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length));
  }

  async kill(program: Program, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    program.child.kill(signal);
    await program.ended;
    this.#programs.delete(program);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#programs].map((program) => this.kill(program)));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A seeded sequence of numbers from 0 to 1 (mulberry32), so that a failure can be run again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
