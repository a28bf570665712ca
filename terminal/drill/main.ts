// The component that a drill breaks: an ordinary Node program with the ordinary channel client, which becomes ready,
// says that it fails, and fails as it was told. Only its first life does (crash-loop: each), so that there is one
// failure to watch; the marker file says that it has. Everything that it does to the machine is bounded, also
// when nobody stops it.
//
//   main.ts FAULT MARKER [PORT]        main.ts hold PORT PID

import { spawn } from 'node:child_process';
import { existsSync, writeFileSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectChannel } from '../../agent/channel/client.ts';

/** Ready for so long before it fails: some beats, as in any real failure. */
const WELL_MS = 1_200;
const MEBIBYTE = 1024 * 1024;
/** Beside the program itself; over the ceiling that it is started with. */
const LEAK_BYTES = 96 * MEBIBYTE;
const LEAK_STEP_BYTES = 8 * MEBIBYTE;
const LEAK_STEP_MS = 100;
const CHILDREN = 200;
/** Each so-manieth leaves the session. */
const ESCAPES_EACH = 10;
const CHILD_SECONDS = '300';
const FLOOD_BYTES_PER_SECOND = 50 * 1_000_000;
const FLOOD_BYTES = 150 * 1_000_000;
const FLOOD_STEP_MS = 10;
const HOLD_MS_MAX = 30_000;
/** It lets go so long after the process that it came from is gone: longer than a start waits for a port. */
const HOLD_AFTER_MS = 3_000;
const LOOK_MS = 50;
const EXIT_CRASH = 1;

const self = process.argv[1] ?? '';
const [fault = '', marker = '', portText = ''] = process.argv.slice(2);
const port = Number(portText);
const print = (line: string): number => writeSync(1, `${line}\n`);

/** Role of the escaped child: listens, and outlives whom it came from for a while. */
async function hold(at: number, pid: string): Promise<never> {
  const server = createServer();
  server.on('error', () => process.exit(EXIT_CRASH));
  server.listen(at, '127.0.0.1');
  const endMs = performance.now() + HOLD_MS_MAX;
  while (existsSync(`/proc/${pid}`) && performance.now() < endMs) await sleep(LOOK_MS);
  await sleep(HOLD_AFTER_MS);
  process.exit(0);
}

if (fault === 'hold') await hold(Number(marker), portText);

const channel = connectChannel({ onStop: () => end() });
const held: Buffer[] = [];

function end(): never {
  channel.stopping();
  process.exit(0);
}
process.on('SIGTERM', end);

const isHeld = (): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });

const waitForever = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};

/** A shell in between that ends at once, no mark in the environment, a session of its own: nobody's child. */
async function letEscape(): Promise<void> {
  const words = ['-c', '"$0" "$@" < /dev/null > /dev/null 2>&1 &', process.execPath];
  const holder = [...process.execArgv, self, 'hold', portText, String(process.pid)];
  spawn('/bin/sh', [...words, ...holder], { detached: true, env: {}, stdio: 'ignore' });
  while (!(await isHeld())) await sleep(LOOK_MS);
}

async function fork(): Promise<void> {
  for (let n = 0; n < CHILDREN; n += 1) {
    const detached = n % ESCAPES_EACH === 0;
    spawn('sleep', [CHILD_SECONDS], { detached, stdio: 'ignore' }).on('error', () => undefined);
    // So that its own loop turns meanwhile: it is not to hang before it says so.
    if (n % 8 === 0) await sleep(1);
  }
}

async function leak(): Promise<void> {
  while (held.length * LEAK_STEP_BYTES < LEAK_BYTES) {
    held.push(Buffer.alloc(LEAK_STEP_BYTES, 1));
    await sleep(LEAK_STEP_MS);
  }
}

async function flood(): Promise<void> {
  const line = `${'a drill prints this and means nothing by it; '.repeat(20)}\n`;
  const beganMs = performance.now();
  let printed = 0;
  while (printed < FLOOD_BYTES) {
    const due = ((performance.now() - beganMs) / 1_000) * FLOOD_BYTES_PER_SECOND;
    const chunk = Buffer.from(line.repeat(Math.ceil(FLOOD_BYTES_PER_SECOND / 100 / line.length)));
    for (let n = 0; n < 4 && printed < Math.min(due, FLOOD_BYTES); n += 1) {
      printed += writeSync(1, chunk);
    }
    await sleep(FLOOD_STEP_MS);
  }
  channel.status(`flooded: ${printed} ${Math.round(performance.now() - beganMs)}`);
}

/** What is done before it counts as failing, and then the failing itself. */
const faults: Readonly<Record<string, { prepare?: () => Promise<void>; fail: () => unknown }>> = {
  hang: {
    fail: () => {
      for (;;);
    },
  },
  deadlock: { fail: waitForever },
  leak: { fail: leak },
  'crash-loop': { fail: () => process.exit(EXIT_CRASH) },
  fork: { prepare: fork, fail: waitForever },
  'log-flood': { fail: flood },
  'port-held': { prepare: letEscape, fail: waitForever },
};

/** A later life needs its port: it is ready when it has it. */
async function takePort(): Promise<void> {
  const server = createServer();
  for (let taken = false; !taken; ) {
    taken = await new Promise<boolean>((done) => {
      server.once('error', () => done(false));
      server.listen(port, '127.0.0.1', () => done(true));
    });
    if (!taken) await sleep(LOOK_MS);
  }
}

const isFirst = !existsSync(marker);
const { prepare, fail } = faults[fault] ?? {};
print(`drill ${fault}: ${isFirst ? 'first life' : 'later life'}`);
if (!isFirst && fault === 'port-held') await takePort();
channel.ready();
// Nothing of ours keeps a component alive; this does.
setInterval(() => undefined, 60_000);
if (fail !== undefined && (isFirst || fault === 'crash-loop')) {
  await sleep(isFirst ? WELL_MS : LOOK_MS);
  await prepare?.();
  writeFileSync(marker, '');
  print(`drill ${fault}: it fails now`);
  channel.status(`failing: ${fault}`);
  // The word leaves with this turn of the loop; after it there may be none.
  setImmediate(() => void fail());
}
