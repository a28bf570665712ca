// A Ctrl-C at the keyboard reaches a program several times: from the terminal and from every launcher that
// passes it on. The first ends it in good order, the others must not cut that off.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-signals-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('a broker that is asked to end twice at once ends in good order', async () => {
  const config = join(folder, 'broker.yaml');
  const dataDir = join(folder, 'data');
  const endpoint = '{ host: 127.0.0.1, port: 0 }';
  writeFileSync(
    config,
    `dataDir: ${dataDir}\nplainText: true\nmqtt: ${endpoint}\nhttp: ${endpoint}\nterminals: []\n`,
  );
  const child = spawn(
    process.execPath,
    [resolve('cli/tillwatch.ts'), 'broker', '--config', config],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(signal ?? code)));
  try {
    await new Promise((ready) => child.stdout.once('data', ready));
    const lastDeed = join(dataDir, 'registry.db-wal');
    // Until it is done: later copies may meet a Node that has put its handlers away already.
    while (existsSync(lastDeed) && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGINT');
      await new Promise((done) => setTimeout(done, 1));
    }
    await ended;
    expect(existsSync(lastDeed)).toBe(false);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
});
