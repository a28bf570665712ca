// A till's folder, or a broker's, that a test breaks for real, and the doctor's look at it: files, modes, sockets and
// databases are what they would be on a machine that fails. Only what no test may change (time, another user's
// process) is put into the facts.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { type Check, type Found, runChecks } from '../../cli/doctor/check.ts';
import { readTill, type TillFacts } from '../../cli/doctor/till-facts.ts';
import { tillChecks } from '../../cli/verbs/doctor.ts';
import type { TillAnswer, TillComponent } from '../../protocol/till.ts';

export const shown = (found: readonly Found[]): string[] =>
  found.map(({ state, found: what, todo = '' }) => `${state} ${what}${todo && ` -> ${todo}`}`);

/** @returns what one check finds. */
export async function look<F>(checks: readonly Check<F>[], name: string, facts: F) {
  const one = checks.filter((check) => check.name === name);
  if (one.length === 0) throw new Error(`there is no check ${name}`);
  return shown(await runChecks(one, facts, () => undefined));
}

export const SALE: TillComponent = {
  ...{ name: 'sale', version: '2.4.1', state: 'ready', forMs: 9_000, reason: 'it is' },
  ...{ mode: 'act', busy: false, left: [] },
};
const ANSWER: TillAnswer = {
  ...{ terminal: 'lane-1', agent: '0.1.0', pid: process.pid, upMs: 60_000, disk: 'normal' },
  components: [SALE],
};

export class BrokenTill {
  readonly folder = mkdtempSync(join(tmpdir(), 'tw-ill-'));
  readonly file = join(this.folder, 'agent.yaml');
  #server: Server | undefined;

  constructor(more: object = {}) {
    this.configure(more);
    mkdirSync(join(this.folder, 'data', 'logs'), { recursive: true, mode: 0o700 });
    mkdirSync(join(this.folder, 'run'), { mode: 0o700 });
  }

  path = (...names: string[]): string => join(this.folder, ...names);

  configure(more: object): void {
    const component = { name: 'sale', version: '2.4.1', command: [process.execPath, 'sale.js'] };
    const config = {
      ...{ terminal: 'lane-1', dataDir: 'data', runDir: 'run', components: [component] },
      ...{ broker: { plainText: true, host: '127.0.0.1', port: 1 }, ...more },
    };
    writeFileSync(this.file, stringify(config));
  }

  write(name: string, text: string | Uint8Array, mode = 0o600): void {
    mkdirSync(dirname(this.path(name)), { recursive: true, mode: 0o700 });
    writeFileSync(this.path(name), text, { mode });
  }

  /** An agent that answers so at its control socket. */
  async answers(more: Partial<TillAnswer>): Promise<void> {
    const line = JSON.stringify({ ok: true, value: { ...ANSWER, ...more } });
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.end(`${line}\n`));
    await new Promise<void>((done) => server.listen(this.path('run', 'control.sock'), done));
    this.#server = server;
  }

  async find(check: string, change: Partial<TillFacts> = {}, env: NodeJS.ProcessEnv = process.env) {
    const facts = await readTill(this.file, env);
    return await look(tillChecks, check, { ...facts, ...change });
  }

  close(): void {
    this.#server?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
