// npm run bench -- logs: what on-call waits for. From the request to the first line on a till that is online; 100 MB over
// a healthy line beside gzip over a socket; 10 MB over a line that is slow, holds pieces back and is cut every three
// seconds; ten minutes out of a gigabyte; and what a cashier notices while a gigabyte is searched. --only picks parts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Report, round, sleep, spread } from './harness.ts';
import { dice, fillJournal, lineOf } from './logs/fill.ts';
import { measureSales } from './logs/sales.ts';
import { openSlowLine } from './logs/slow-line.ts';
import { openLogTill } from './logs/till.ts';
import { measureWindow } from './logs-window.ts';
import type { Options } from './options.ts';

const MEGABYTE = 1_000_000;
const ROUNDS = 40;
/** Each look is a TLS handshake of its own: more often, and they would be what is measured. */
const LOOK_MS = 100;
const COMPONENT = 'sale';
/** Enough for 100 MB of text with its times in front. */
const BYTES_MAX = 200 * MEGABYTE;

async function online(rounds: number): Promise<object> {
  const untilMs = Date.now();
  const till = await openLogTill({
    uplinkShare: 0.3,
    fill: (journal) => fillJournal(journal, COMPONENT, 20 * MEGABYTE, untilMs),
  });
  try {
    const first: number[] = [];
    for (let at = 0; at < rounds; at += 1) {
      const startedMs = performance.now();
      const id = await till.ask({ sinceMs: untilMs - 600_000, untilMs, bytesMax: MEGABYTE });
      for (;;) {
        const { bytes, state, error } = await till.look(id);
        if (bytes > 0) break;
        if (state === 'failed') throw new Error(error);
        await sleep(5);
      }
      first.push(performance.now() - startedMs);
      await till.ended(id);
    }
    return spread(first);
  } finally {
    await till.close();
  }
}

/** The same text through gzip and a socket, as `gzip | nc` would send it. */
async function byGzip(rawBytes: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tw-gzip-'));
  const file = join(folder, 'lines');
  const roll = dice(1);
  const untilMs = Date.now();
  let text = '';
  for (let at = 0; text.length < rawBytes; at += 1) text += `${lineOf(at, untilMs, roll)}\n`;
  writeFileSync(file, text);
  const server = createServer((socket) => socket.resume().on('end', () => socket.end()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const startedMs = performance.now();
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const gzip = spawn('gzip', ['-c', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(socket, 'close');
    await pipeline(gzip.stdout, socket);
    await closed;
    return (performance.now() - startedMs) / 1_000;
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
}

async function healthy(megabytes: number): Promise<object> {
  const untilMs = Date.now();
  const rawBytes = megabytes * MEGABYTE;
  const till = await openLogTill({
    uplinkShare: 1,
    fill: (journal) => fillJournal(journal, COMPONENT, rawBytes, untilMs),
  });
  try {
    const startedMs = performance.now();
    const id = await till.ask({ sinceMs: 0, untilMs, bytesMax: BYTES_MAX });
    const { bytes, lines, truncated } = await till.ended(id, LOOK_MS);
    const seconds = (performance.now() - startedMs) / 1_000;
    if (truncated) throw new Error('the answer is not whole');
    const gzipSeconds = await byGzip(rawBytes);
    return {
      ...{ megabytes: round(bytes / MEGABYTE), records: lines, seconds: round(seconds) },
      ...{ gzipSeconds: round(gzipSeconds), timesGzip: round(seconds / gzipSeconds) },
    };
  } finally {
    await till.close();
  }
}

/** @returns how often a line came that is not the next of its kind. */
function countWrong(next: { at: number }, text: string): number {
  let wrong = 0;
  for (const [, number] of text.matchAll(/"message":"line (\d+):/g)) {
    if (Number(number) !== next.at) wrong += 1;
    next.at = Number(number) + 1;
  }
  return wrong;
}

async function slow(seed: number): Promise<object> {
  const untilMs = Date.now();
  const roll = dice(seed);
  const random = (): number => roll(1_000_000) / 1_000_000;
  let line: Awaited<ReturnType<typeof openSlowLine>> | undefined;
  const till = await openLogTill({
    uplinkShare: 1,
    // As shipped it waits up to half a minute after each cut, so that a fleet does not come back at one moment.
    reconnectMsMax: 2_000,
    fill: (journal) => fillJournal(journal, COMPONENT, 10 * MEGABYTE, untilMs, seed),
    port: async (to) => {
      const bad = { bitsPerSecond: MEGABYTE, heldRatio: 0.05, heldMs: [200, 1_000] as const };
      line = await openSlowLine({ to, ...bad, cutEveryMs: 3_000, random });
      return line.port;
    },
  });
  try {
    const startedMs = performance.now();
    const id = await till.ask({ sinceMs: 0, untilMs, bytesMax: BYTES_MAX });
    const { bytes, lines, sha256 } = await till.ended(id, 200);
    const seconds = (performance.now() - startedMs) / 1_000;
    const next = { at: 0 };
    let [wrong, held] = [0, ''];
    const digest = await till.content(id, (part) => {
      const text = held + part.toString('latin1');
      const end = text.lastIndexOf('\n') + 1;
      wrong += countWrong(next, text.slice(0, end));
      held = text.slice(end);
    });
    const isWhole = digest === sha256 && next.at === lines;
    return {
      ...{ megabytes: round(bytes / MEGABYTE), records: lines, seconds: round(seconds) },
      ...{ cuts: line?.cuts() ?? 0, lineMegabytes: round((line?.bytes() ?? 0) / MEGABYTE) },
      ...{ wrong, notWhole: isWhole ? 0 : 1 },
    };
  } finally {
    line?.close();
    await till.close();
  }
}

export async function run({ n = ROUNDS, seed = 1, only }: Options): Promise<Report> {
  const parts: Readonly<Record<string, () => Promise<object>>> = {
    onlineMs: () => online(n),
    healthy: () => healthy(100),
    slow: () => slow(seed),
    window: measureWindow,
    sales: measureSales,
  };
  const figures: Record<string, unknown> = {};
  for (const [name, measure] of Object.entries(parts)) {
    if (only === undefined || only.includes(name)) figures[name] = await measure();
  }
  return {
    name: 'logs',
    figures,
    targets: {
      ...{ 'onlineMs.p95': 1_000, 'healthy.timesGzip': 2, 'slow.wrong': 0, 'slow.notWhole': 0 },
      'window.window.ms': 500,
    },
    notes: [
      'onlineMs: request to first line at the broker, ten minutes of 20 MB, TLS, shipped settings',
      'healthy: 100 MB of the journal; gzip of the same text through a socket is what it is measured against',
      'slow: 10 MB at 1 Mbit/s, 5 % of pieces held 200 to 1000 ms, cut every 3 s, connected again within 2 s',
      'sales: a cashier at the reference till, with and without a search of 1 GB in the same run',
    ],
  };
}
