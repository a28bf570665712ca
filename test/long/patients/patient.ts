// A Node program that knows nothing of Tillwatch: it answers GET on its port, and after a while it hangs in the
// way that it was told. Only its first life does: the marker file says that it has.
//
//   patient.ts MODE AFTER_MS PORT MARKER

import { execFileSync, execSync } from 'node:child_process';
import { existsSync, open, openSync, readFileSync, stat, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [mode = '', afterMs = '0', port = '0', marker = ''] = process.argv.slice(2);
const held: unknown[] = [];
/** libuv's own default [UV_THREADPOOL_SIZE]. */
const POOL = 4;

const modes: Readonly<Record<string, () => void>> = {
  well: () => undefined,
  spin: () => {
    for (;;);
  },
  deadlock: () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  'read-fifo': () => {
    execSync(`mkfifo ${marker}.fifo`);
    readFileSync(`${marker}.fifo`);
  },
  'wait-for-child': () => {
    execFileSync('sleep', ['100000']);
  },
  stop: () => process.kill(process.pid, 'SIGSTOP'),
  /** The loop turns and nothing that needs a thread ever ends. */
  'starve-pool': () => {
    execSync(`mkfifo ${marker}.fifo`);
    for (let n = 0; n < POOL; n += 1) open(`${marker}.fifo`, 'r', () => undefined);
  },
  leak: () => {
    // Not without end: should nobody stop it, the machine that runs the tests must live.
    setInterval(() => held.length < 150 && held.push(Buffer.alloc(8_000_000, 1)), 100);
  },
  'leak-descriptors': () => {
    setInterval(() => {
      for (let n = 0; n < 20 && held.length < 3_000; n += 1) held.push(openSync('/dev/null', 'r'));
    }, 20);
  },
  /** Four seconds of one long computation, and then all is well. */
  computation: () => {
    const untilMs = performance.now() + 4_000;
    while (performance.now() < untilMs) Math.sqrt(untilMs);
  },
  'crash-loop': () => process.exit(1),
};

const server = createServer((_request, response) => {
  // Through the thread pool, as a program that reads a file for its answer.
  stat(marker, () => response.end('well\n'));
});
server.listen(Number(port), '127.0.0.1');
const first = !existsSync(marker);
if (mode === 'crash-loop' && !first) setTimeout(() => process.exit(1), 100);
if (first) {
  setTimeout(() => {
    writeFileSync(marker, '');
    console.log('failing:', mode);
    setTimeout(() => modes[mode]?.(), 50);
  }, Number(afterMs));
}
