// Requests that take turns while none of them has anything to send yet.

import { describe, expect, it } from 'vitest';
import { CHILDREN_MAX } from '../../agent/logs/pull/pulls.ts';
import { epochOfRequest } from '../../protocol/logs.ts';
import type { Ack } from '../../protocol/wire.ts';
import {
  blocksOf,
  chunkOf,
  commandFor,
  journalOf,
  NOON,
  terminalOver,
  worker,
} from './pull-rig.ts';

/** A broker takes everything. */
function give(sent: Uint8Array): Ack {
  const { request, offset, body, last } = chunkOf(sent);
  const upTo = offset + body.length + (last ? 1 : 0);
  return {
    epoch: epochOfRequest(request),
    streams: upTo === 0 ? [] : [{ stream: 'logs', ranges: [{ first: 1, last: upTo }] }],
    ...{ refused: [], brokerTimeMs: NOON, paceBytesPerSecond: 0, notice: '', logCredits: 0 },
    ledgerGeneration: new Uint8Array(16),
  };
}

describe('several requests', () => {
  it('of two that search for minutes do not hold up a small one, and get longer turns each time', async () => {
    const path = await journalOf(blocksOf('sync', 3));
    const running = new Set<string>();
    const process = worker();
    const world = terminalOver(path, {
      components: ['sale', 'sync'],
      startPull: (job, hears, isAgain) => {
        if (job.component === 'sync') return process.startPull(job, hears, isAgain);
        running.add(job.request);
        const stop = () => running.delete(job.request);
        return { pid: 1, go: () => {}, cancel: () => {}, stop };
      },
    });
    const pulls = world.open();
    const searchMs = 600_000;
    const long = [1, 2].map(() => commandFor({ searchMs }));
    for (const command of long) pulls.begin(command);
    await world.turn();
    const waits: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      const small = commandFor({ components: ['sync'] });
      pulls.begin(small);
      let waitedS = 0;
      while (!world.told.some(({ command }) => command === small.id) && waitedS < 60) {
        waitedS += 1;
        world.time.pass(1_000);
        await world.turn(4);
        expect(running.size).toBeLessThanOrEqual(CHILDREN_MAX);
        for (let sent = pulls.take(); sent !== undefined; sent = pulls.take()) {
          pulls.acknowledge(give(sent));
        }
      }
      waits.push(waitedS);
    }
    expect(Math.max(...waits)).toBeLessThan(20);
    await world.turn();
    expect(running.size).toBe(CHILDREN_MAX);
    // Nobody else waits: they run to their end.
    world.time.pass(60_000);
    expect(running.size).toBe(CHILDREN_MAX);
    for (const _ of long) pulls.begin(commandFor({ searchMs }));
    const turns: number[] = [];
    for (let s = 0, was = [...running].join(); s < 300; s += 1) {
      world.time.pass(1_000);
      await world.turn(2);
      const now = [...running].join();
      if (now !== was) turns.push(s);
      was = now;
    }
    // Who begins anew each time gets further each time: nobody searches the same five seconds for ever.
    expect(turns.length).toBeGreaterThan(3);
    expect(turns.length).toBeLessThan(20);
  });
});
