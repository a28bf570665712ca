// Received logs reach Loki once, whoever is killed in the middle: the broker's forwarding and the server that takes,
// each with kill -9, again and again. Loki itself is not to be had here; loki-standin.ts enforces its limits.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { formatRecord } from '../../protocol/log-lines.ts';
import { stamp } from '../../redact/index.ts';
import { type Kept, readKept } from './loki-standin.ts';

const ANSWERS = 12;
const LINES = 2_500;
const KILLS = 6;
const children = new Set<ChildProcess>();

function start(file: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [resolve('test/long', file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((done) => child.once('exit', done));
  if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await gone;
  children.delete(child);
}

/** The newest whole line that it printed. */
function lastLine(child: ChildProcess): () => string {
  let text = '';
  child.stdout?.on('data', (data) => {
    text = (text + String(data)).slice(-4_000);
  });
  return () => text.split('\n').at(-2) ?? '';
}

async function until<T>(what: string, ask: () => T | undefined): Promise<T> {
  for (let turn = 0; turn < 600; turn += 1) {
    const found = ask();
    if (found !== undefined) return found;
    await sleep(25);
  }
  throw new Error(`never: ${what}`);
}

/** Answers of several terminals, half of them of two hours ago, as the broker keeps them. */
function writeAnswers(folder: string): string[] {
  const expected: string[] = [];
  const records = Array.from({ length: ANSWERS }, (_, number) => {
    const id = randomUUID();
    const beginMs = Date.now() - (number % 2 === 0 ? 2 * 3_600_000 : 60_000);
    let text = '';
    for (let line = 0; line < LINES; line += 1) {
      const at = { request: id, offset: String(Buffer.byteLength(text)) };
      expected.push(JSON.stringify([at.request, at.offset, `answer ${number} line ${line}`]));
      text += formatRecord({
        ...{ timeMs: beginMs + Math.floor(line / 7), guessed: false, level: 'info' },
        ...{ component: 'sale', text: `answer ${number} line ${line}` },
      });
    }
    writeFileSync(join(folder, `${id}.log`), text);
    const bytes = Buffer.byteLength(text);
    const terminal = `lane-${number % 4}`;
    return {
      id,
      terminal,
      what: 'lines',
      state: 'complete',
      bytes,
      sha256: 'ff',
      redactor: stamp(),
    };
  });
  writeFileSync(join(folder, 'records.json'), JSON.stringify(records));
  return expected;
}

const shown = ({ metadata, line }: Kept): string =>
  JSON.stringify([metadata['request'], metadata['offset'], line]);

it('brings every record once, whatever is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-loki-'));
  onTestFinished(async () => {
    await Promise.all([...children].map(kill));
    rmSync(folder, { recursive: true, force: true });
  });
  const expected = writeAnswers(folder);
  const file = join(folder, 'kept.jsonl');
  let server = start('loki-standin.ts', '0', file);
  let said = lastLine(server);
  const { port } = await until('a server', () =>
    said() === '' ? undefined : (JSON.parse(said()) as { port: number }),
  );
  const url = `http://127.0.0.1:${port}/loki/api/v1/push`;
  let forwarding = start('loki-child.ts', folder, url);
  let kept = 0;
  for (let round = 0; round < KILLS; round += 1) {
    // In the middle of it: something more was taken than at the last one.
    const before = kept;
    kept = await until('more entries', () => {
      const now = readKept(file).length;
      return now > before || now === expected.length ? now : undefined;
    });
    if (round % 2 === 0) {
      await kill(forwarding);
      forwarding = start('loki-child.ts', folder, url);
    } else {
      await kill(server);
      server = start('loki-standin.ts', String(port), file);
    }
  }
  said = lastLine(forwarding);
  await until('the end of it', () => {
    const status = said() === '' ? undefined : (JSON.parse(said()) as Record<string, unknown>);
    return status?.['up'] === true && status['behindBatches'] === 0 ? true : undefined;
  });
  const all = readKept(file);
  // What came twice has the same stream, time, line and metadata, so that Loki keeps it once.
  const once = new Set(all.map((entry) => JSON.stringify(entry)));
  expect([...once].map((text) => shown(JSON.parse(text) as Kept)).toSorted()).toEqual(
    expected.toSorted(),
  );
  const streams = new Set(all.map(({ stream }) => stream['pull']));
  expect(streams.size).toBe(1 + ANSWERS / 2);
}, 60_000);
