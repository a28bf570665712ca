// The program under every supervisor: a plain HTTP service with a helper in its own process group, a helper
// that left it (setsid), numbered lines on stdout, and one way for each fault. It is the same file for all, so that a
// difference is the supervisor's. Under Tillwatch it beats over the channel, under the model of a systemd service
// over a socket of the same kind; under the others both are absent and it is what they call an application.

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connectChannel } from '../../../agent/channel/client.ts';

const dir = process.env['BENCH_DIR'] ?? '.';
const port = Number(process.env['BENCH_PORT']);
const LINE_EVERY_MS = 50;
const FLOOD = { everyMs: 20, bytes: 1024 * 1024, times: 150 };
const STALL_MS = 2_000;
const COMPUTE_MS = 4_000;
/** Printed with the last breath: what a reader of a pipe must still take. */
const LAST_LINES = 200;

const startTicks = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]);
const say = (line: object): void =>
  appendFileSync(join(dir, 'lives.jsonl'), `${JSON.stringify({ pid: process.pid, ...line })}\n`);

const channel = connectChannel({ onStop: () => end() });
const helpers: ChildProcess[] = [
  spawn('sleep', ['86400'], { stdio: 'ignore' }),
  spawn('sleep', ['86400'], { stdio: 'ignore', detached: true }),
];
const known = [process.pid, ...helpers.map((helper) => helper.pid ?? 0)];
say({ kind: 'begun', processes: known.map((pid) => ({ pid, startTicks: startTicks(pid) })) });

/** How many lines were printed, on disk after each: what the supervisor's log is held against. */
const count = openSync(join(dir, `${process.pid}.printed`), 'w');
let printed = 0;
function print(): void {
  printed += 1;
  // A pipe is written synchronously on Linux, and so is a file: once this returns, the line is out.
  process.stdout.write(`bench ${process.pid} ${printed} ${'.'.repeat(60)}\n`);
  writeSync(count, `${printed}\n`, 0);
}
setInterval(print, LINE_EVERY_MS);

function end(): void {
  channel.stopping();
  for (const helper of helpers) helper.kill('SIGKILL');
  process.exit(0);
}
process.on('SIGTERM', end);
process.on('SIGINT', end);

const faults: Readonly<Record<string, () => void>> = {
  crash: () => {
    for (let i = 0; i < LAST_LINES; i += 1) print();
    say({ kind: 'last', atMs: Number(process.hrtime.bigint()) / 1e6 });
    process.kill(process.pid, 'SIGKILL');
  },
  deadlock: () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  spin: () => {
    for (;;);
  },
  /** Busy for four seconds, and then well again: no failure. */
  compute: () => {
    const endMs = performance.now() + COMPUTE_MS;
    while (performance.now() < endMs);
  },
  /** Work that is begun and never ends, while the loop turns and beats. */
  stall: () => {
    channel.begin('an order that nobody ends', STALL_MS);
  },
  /** 50 MB a second for three seconds: no failure. */
  flood: () => {
    const text = `${'~'.repeat(1023)}\n`.repeat(FLOOD.bytes / 1024);
    let times = 0;
    const timer = setInterval(() => {
      process.stdout.write(text);
      times += 1;
      if (times === FLOOD.times) clearInterval(timer);
    }, FLOOD.everyMs);
  },
};

/** WATCHDOG=1 from the main loop at half the interval, as sd_watchdog_enabled(3) advises. */
function notify(path: string, everyMs: number): void {
  const socket = connect(path);
  socket.on('error', () => undefined);
  socket.write(`READY=1 ${process.pid}\n`);
  setInterval(() => socket.write(`WATCHDOG=1 ${process.pid}\n`), everyMs);
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://till');
  if (url.pathname === '/fault') {
    response.writeHead(202).end();
    const fault = faults[url.searchParams.get('kind') ?? ''];
    if (fault !== undefined) setImmediate(fault);
    return;
  }
  response.setHeader('connection', 'close').end(`${process.pid}\n`);
});
// Nobody puts up with a port that is held: it ends, and its helpers with it.
server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  say({ kind: 'refused' });
  for (const helper of helpers) helper.kill('SIGKILL');
  process.exit(1);
});
server.listen(port, '127.0.0.1', () => {
  say({ kind: 'serving' });
  const portFile = process.env['BENCH_PORT_FILE'];
  const address = server.address();
  if (portFile !== undefined && typeof address === 'object') {
    writeFileSync(portFile, JSON.stringify({ port: address?.port, pid: process.pid }));
  }
  channel.ready();
  const path = process.env['BENCH_NOTIFY'];
  if (path !== undefined) notify(path, Number(process.env['BENCH_NOTIFY_MS']) / 2);
});
