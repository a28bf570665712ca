// The broker is killed again and again while terminals deliver. Nothing that it acknowledged may be
// missing afterwards, and nothing may be there twice: not in the ledger, not in the fleet's view.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Bench, eventBatch, openBench, type Running } from '../real/broker-rig.ts';
import { connectTerminal, type Terminal, until } from '../real/front-rig.ts';

const TERMINALS = ['lane-1', 'lane-2'] as const;
const TOTAL = 600;
const WINDOW = 16;
/** The longest that a timer can wait. */
const NEVER_MS = 2 ** 31 - 1;

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench.close());

/** What a terminal's outbox would do: it forgets what was acknowledged and sends the rest again. */
function createOutbox(name: string) {
  const acked = new Set<number>();
  return {
    acked,
    collect: ({ acks }: Terminal): void => {
      for (const { first, last } of acks.flatMap((ack) => ack.streams.flatMap((s) => s.ranges))) {
        for (let seq = first; seq <= last; seq += 1) acked.add(seq);
      }
    },
    /** A window at a time, until all was sent or the line breaks. */
    deliver: async (till: Terminal): Promise<void> => {
      const rest = Array.from({ length: TOTAL }, (_, n) => n + 1).filter((seq) => !acked.has(seq));
      while (rest.length > 0 && !till.closed()) {
        const sent = rest.splice(0, WINDOW).map((seq) => till.send(eventBatch(seq, name)));
        await Promise.race([Promise.allSettled(sent), till.ended]);
      }
    },
  };
}

async function round(killAfterMs: number, outboxes: ReturnType<typeof createOutbox>[]) {
  const broker = await bench.start();
  const tills = await Promise.all(TERMINALS.map((name) => connectTerminal(broker.mqttPort, name)));
  const kill = setTimeout(() => broker.child.kill('SIGKILL'), killAfterMs);
  await Promise.all(tills.map((till, index) => outboxes[index]?.deliver(till)));
  if (killAfterMs === NEVER_MS) clearTimeout(kill);
  else await broker.exit;
  return { broker, tills };
}

async function eventsOf(broker: Running, name: string): Promise<string[]> {
  const seen: string[] = [];
  for (let after = 0; ; ) {
    const page = await bench.api(broker.url, `events?terminal=${name}&after=${after}&limit=500`);
    const events = page['events'] as { fields: { reason: string } }[];
    if (events.length === 0) return seen;
    seen.push(...events.map(({ fields }) => fields.reason));
    after = page['next'] as number;
  }
}

test('kill -9 at any moment: nothing acknowledged is lost and nothing is there twice', async () => {
  const outboxes = TERMINALS.map(createOutbox);
  let ackedBefore = 0;
  for (const killAfterMs of [60, 25, 90, 40]) {
    const { tills } = await round(killAfterMs, outboxes);
    tills.forEach((till, index) => {
      outboxes[index]?.collect(till);
    });
    for (const till of tills) await till.end();
    ackedBefore = outboxes.reduce((sum, { acked }) => sum + acked.size, 0);
  }
  // Otherwise the test would prove nothing: some was acknowledged, and some was still to come.
  expect(ackedBefore).toBeGreaterThan(0);

  const { broker, tills } = await round(NEVER_MS, outboxes);
  await until('all is acknowledged', () => {
    tills.forEach((till, index) => {
      outboxes[index]?.collect(till);
    });
    return outboxes.every(({ acked }) => acked.size === TOTAL);
  });
  const all = Array.from({ length: TOTAL }, (_, n) => String(n + 1)).sort();
  for (const name of TERMINALS) {
    const endMs = performance.now() + 20_000;
    let seen = await eventsOf(broker, name);
    while (seen.length < TOTAL && performance.now() < endMs) seen = await eventsOf(broker, name);
    expect(seen.sort()).toEqual(all);
    const view = await bench.api(broker.url, `terminals/${name}`);
    expect(view['events']).toBe(TOTAL);
  }
  for (const till of tills) await till.end();
});
