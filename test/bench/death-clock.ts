// A worker thread that says when the kernel had taken a process down: the main thread is a zombie and every other
// thread is gone, which is when a parent is told. Looked at every 0.1 ms through a held descriptor, away from the
// thread whose hearing is measured. kill() to exit event alone would mostly measure how long a process of 40 MB
// takes to die.

import { openSync, readSync } from 'node:fs';
import { parentPort, Worker } from 'node:worker_threads';

const LOOK_MS = 0.05;
const GIVE_UP_MS = 10_000;
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

function isGone(fd: number, buffer: Buffer): boolean {
  try {
    const length = readSync(fd, buffer, 0, buffer.length, 0);
    const fields = buffer.toString('latin1', 0, length).split(') ')[1]?.split(' ') ?? [];
    // proc(5): state, and num_threads, which counts a dead leader until it is waited for.
    return (fields[0] === 'Z' || fields[0] === 'X') && Number(fields[17]) <= 1;
  } catch {
    return true; // ESRCH: it was waited for already
  }
}

parentPort?.on('message', (pid: number) => {
  const fd = openSync(`/proc/${pid}/stat`, 'r');
  const buffer = Buffer.alloc(1024);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const endMs = nowMs() + GIVE_UP_MS;
  parentPort?.postMessage({ kind: 'watching' });
  while (!isGone(fd, buffer) && nowMs() < endMs) Atomics.wait(pause, 0, 0, LOOK_MS);
  parentPort?.postMessage({ kind: 'gone', atMs: nowMs() });
});

export type DeathClock = {
  /** Resolves when it looks; `gone` when the process is. */
  readonly watch: (pid: number) => Promise<{ readonly gone: Promise<number> }>;
  readonly close: () => Promise<unknown>;
};

export function startDeathClock(): DeathClock {
  const worker = new Worker(new URL(import.meta.url));
  // Without a listener an error of the worker ends the bench, as it should.
  const next = <T extends { kind: string }>(kind: string): Promise<T> =>
    new Promise((resolve) => {
      const hear = (message: T): void => {
        if (message.kind !== kind) return;
        worker.off('message', hear);
        resolve(message);
      };
      worker.on('message', hear);
    });
  return {
    watch: async (pid) => {
      const gone = next<{ kind: string; atMs: number }>('gone').then(({ atMs }) => atMs);
      const watching = next('watching');
      worker.postMessage(pid);
      await watching;
      return { gone };
    },
    close: () => worker.terminate(),
  };
}
