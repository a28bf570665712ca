// A disk that takes 200 ms to flush: commits are made on the main thread, so everything else waits that
// long, too. What arrives meanwhile shares the next one, and between two the loop is free for as long as
// the last one took: acknowledgements take a few of them however many terminals there are.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import { makeBatch, startRig, until } from '../real/front-rig.ts';

const FLUSH_MS = 200;
const TERMINALS = 40;
const SECONDS = 5;
const cell = new Int32Array(new SharedArrayBuffer(4));

const p99 = (times: readonly number[]): number =>
  [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;

test('acknowledgements take a few commits, and HTTP is answered between them', async () => {
  let commits = 0;
  const rig = await startRig({}, systemTimers, (ledger) => ({
    ...ledger,
    append: (batches) => {
      commits += 1;
      Atomics.wait(cell, 0, 0, FLUSH_MS);
      return ledger.append(batches);
    },
  }));
  const http = createServer((_request, response) => response.end('well'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  try {
    const times: { acks: number[]; http: number[] } = { acks: [], http: [] };
    const terminals = await Promise.all(
      Array.from({ length: TERMINALS }, (_, n) => rig.terminal(`lane-${n}`)),
    );
    const endMs = performance.now() + SECONDS * 1_000;
    const send = async (terminal: (typeof terminals)[number]): Promise<void> => {
      for (let seq = 1; performance.now() < endMs; seq += 1) {
        const fromMs = performance.now();
        await terminal.send(makeBatch(seq));
        await until('it is acknowledged', () => terminal.acked(seq));
        times.acks.push(performance.now() - fromMs);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    };
    const ask = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const fromMs = performance.now();
        await (await fetch(url)).text();
        times.http.push(performance.now() - fromMs);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await Promise.all([...terminals.map(send), ask()]);
    const figures = { commits, acks: p99(times.acks), http: p99(times.http) };
    expect(times.acks.length, JSON.stringify(figures)).toBeGreaterThan(TERMINALS * 4);
    expect(figures.acks).toBeLessThan(5 * FLUSH_MS);
    expect(figures.http).toBeLessThan(3 * FLUSH_MS);
    // As many as that leaves room for: the loop is free for half of the time.
    expect(commits).toBeLessThan((SECONDS * 1_000) / (2 * FLUSH_MS) + 3);
  } finally {
    http.close();
    await rig.close();
  }
});
