// A real process that misbehaves on command, for every test that must not believe a mock. Each flag is one way
// in which programs fail on tills; without any, it runs until it is told to end. It speaks the component
// channel when it is started with one, and says on its output what it is doing, one word and numbers a line.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { Channel } from '../../agent/channel/client.ts';

const number = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const { values: knobs } = parseArgs({
  options: {
    /** End by itself after this long, with --exit (or by --signal). */
    'run-ms': number,
    /** The same, counted from when it said that it is ready. */
    'live-ms': number,
    exit: number,
    signal: { type: 'string' },
    /** End by an exception that nobody catches. */
    throw: flag,
    'slow-start-ms': number,
    /** Never say ready. */
    'no-ready': flag,
    'hang-after-ms': number,
    /** spin | spin-allocating | block | sync-read | exec-sync | never | lie */
    mode: { type: 'string' },
    /** lie only: the main thread spins instead of waiting. */
    'lie-spin': flag,
    /** never only. */
    'deadline-ms': number,
    /** A file by which later lives know that they are not to hang. */
    once: { type: 'string' },
    'ignore-term': flag,
    /** Held, and never given back. */
    'leak-mb': number,
    /** Lines of 100 bytes written at once, the pace of a component gone mad. */
    'log-lines': number,
    /** Children that sleep, in our group. */
    fork: number,
    /** One child in a session of its own. */
    'setsid-child': flag,
    /** One main-thread block of this length, after which all is well (a long collection). */
    'gc-ms': number,
    /** Port of a health page on loopback. */
    port: number,
  },
});

const ms = (name: 'run-ms' | 'live-ms' | 'slow-start-ms' | 'hang-after-ms' | 'gc-ms'): number =>
  Number(knobs[name] ?? 0);
const say = (...words: unknown[]): void => console.log(words.join(' '));
const sleep = (forMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, forMs);
  });

const children: ChildProcess[] = [];
const leaked: Buffer[] = [];
let channel: Channel | undefined;

/** Waits without using a processor; no signal handler of JavaScript runs meanwhile. */
function block(forMs?: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

function spin(forMs = Number.POSITIVE_INFINITY, allocating = false): void {
  const untilMs = performance.now() + forMs;
  let held: number[] = [];
  while (performance.now() < untilMs) {
    if (!allocating) continue;
    held.push(held.length);
    if (held.length > 100_000) held = [];
  }
}

/** A worker that says hello and beats as if it were the main loop, over a connection of its own. */
function startLiar(): void {
  const code = `
    const { connect } = require('node:net');
    const e = process.env;
    const socket = connect(e.TILLWATCH_SOCKET);
    const say = (line) => socket.write(JSON.stringify(line) + '\\n');
    socket.on('error', () => undefined);
    say({ kind: 'hello', v: 1, role: 'main', component: e.TILLWATCH_COMPONENT,
      instance: e.TILLWATCH_INSTANCE, token: e.TILLWATCH_TOKEN, pid: process.pid });
    let everyMs = 500;
    socket.on('data', (data) => {
      for (const line of String(data).split('\\n')) {
        try { everyMs = JSON.parse(line).beatMs ?? everyMs; } catch {}
      }
    });
    say({ kind: 'ready' });
    const beat = () => { say({ kind: 'beat', loopDelayMsMax: 1 }); setTimeout(beat, everyMs); };
    beat();`;
  new Worker(code, { eval: true });
}

async function hang(mode: string): Promise<void> {
  say('hanging', mode);
  await sleep(20); // so that the line is out
  switch (mode) {
    case 'spin':
      return spin();
    case 'spin-allocating':
      return spin(undefined, true);
    case 'lie':
      return knobs['lie-spin'] ? spin() : block();
    case 'block':
      return block();
    case 'exec-sync':
      execFileSync('sleep', ['1000']);
      return;
    case 'sync-read': {
      const fifo = `/tmp/tillwatch-fault-${process.pid}`;
      execFileSync('mkfifo', [fifo]);
      spawn('sh', ['-c', `sleep 1; rm -f ${fifo}`], { detached: true, stdio: 'ignore' }).unref();
      readFileSync(fifo);
      return;
    }
    case 'never':
      channel?.begin('never', Number(knobs['deadline-ms'] ?? 1_000));
      await new Promise(() => undefined);
      return;
    default:
      throw new Error(`no such mode: ${mode}`);
  }
}

function end(): void {
  if (knobs.throw) throw new Error('thrown on command');
  if (knobs.signal !== undefined) process.kill(process.pid, knobs.signal as NodeJS.Signals);
  else process.exit(Number(knobs.exit ?? 0));
}

function startChildren(): void {
  for (let n = 0; n < Number(knobs.fork ?? 0); n += 1) {
    children.push(spawn('sleep', ['1000'], { stdio: 'ignore' }));
  }
  if (knobs['setsid-child']) {
    children.push(spawn('sleep', ['1000'], { stdio: 'ignore', detached: true }));
  }
  if (children.length > 0) say('children', ...children.map(({ pid }) => pid));
}

async function listen(port: number): Promise<void> {
  const { createServer } = await import('node:http');
  const server = createServer((_request, response) => response.end('well\n'));
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    say('port', typeof address === 'object' ? address?.port : '');
  });
}

async function main(): Promise<void> {
  const wasHere = knobs.once !== undefined && existsSync(knobs.once);
  if (knobs.once !== undefined) writeFileSync(knobs.once, '');
  say('started', process.pid);
  const keepAlive = setInterval(() => undefined, 200);
  const stop = (): void => {
    say('stopping');
    channel?.stopping();
    clearInterval(keepAlive);
    process.exit(0);
  };
  process.on('SIGTERM', () => (knobs['ignore-term'] ? say('ignored TERM') : stop()));
  startChildren();
  if (knobs['run-ms'] !== undefined) setTimeout(end, ms('run-ms'));
  await sleep(ms('slow-start-ms'));
  for (let n = 0; n < Number(knobs['leak-mb'] ?? 0); n += 1) leaked.push(Buffer.alloc(2 ** 20, n));
  if (process.env['TILLWATCH_SOCKET'] !== undefined) {
    if (knobs.mode === 'lie' && !wasHere) startLiar();
    else {
      const { connectChannel } = await import('../../agent/channel/client.ts');
      channel = connectChannel({
        onStop: () => (knobs['ignore-term'] ? say('ignored stop') : stop()),
      });
    }
  }
  if (knobs.port !== undefined) await listen(Number(knobs.port));
  if (!knobs['no-ready']) channel?.ready();
  say('ready');
  if (knobs['live-ms'] !== undefined) setTimeout(end, ms('live-ms'));
  const line = 'x'.repeat(99);
  for (let n = 0; n < Number(knobs['log-lines'] ?? 0); n += 1) console.log(line);
  if (knobs['log-lines'] !== undefined) say('logged', leaked.length);
  if (ms('gc-ms') > 0) {
    await sleep(500);
    spin(ms('gc-ms'), true);
    say('collected');
  }
  if (knobs.mode !== undefined && !wasHere) {
    await sleep(ms('hang-after-ms'));
    await hang(knobs.mode);
  }
}

await main();
