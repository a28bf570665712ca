// A till with a wrong clock comes up with a line: nothing it took may be sealed with a time that is not the
// broker's, so the link waits for the broker's first word, and not for long.

import { afterEach, expect, test } from 'vitest';
import { GREETING_MS_MAX } from '../../agent/link/greeting.ts';
import { startLink } from '../../agent/link/link.ts';
import type { SessionHandlers } from '../../agent/link/session.ts';
import { unpackBody } from '../../protocol/body.ts';
import { decodeMetricBody } from '../../protocol/metric-body.ts';
import { decodeBatch, encodeAck, NO_EPOCH } from '../../protocol/wire.ts';
import { makeQuickFolder } from './offline-rig.ts';
import { ackFor, fakeClock, need, open, quietLog, snapshotAt } from './outbox-rig.ts';

const TRUE_MS = Date.UTC(2026, 10, 22);
const folder = makeQuickFolder();
afterEach(() => folder.remove());

function setUp() {
  const clock = fakeClock();
  const outbox = open(folder.path, clock);
  const due: { atMs: number; run: () => void }[] = [];
  const times: number[] = [];
  let handlers: SessionHandlers | undefined;
  startLink({
    ...{
      terminal: 'lane-1',
      broker: { host: '127.0.0.1', port: 1 },
      outbox,
      clock,
    },
    ...{ log: quietLog(), onCommand: () => {}, random: () => 0 },
    timers: {
      after: (ms, run) => {
        due.push({ atMs: clock.monotonicMs() + ms, run });
        return () => {};
      },
      every: (ms, run) => {
        const again = (): void => {
          run();
          due.push({ atMs: clock.monotonicMs() + ms, run: again });
        };
        due.push({ atMs: clock.monotonicMs() + ms, run: again });
        return () => {};
      },
    },
    openSession: (_options, given) => {
      handlers = given;
      return {
        publish: (_topic, bytes) => {
          const batch = need(decodeBatch(bytes));
          if (batch.stream !== 'metrics') return;
          const body = need(unpackBody(batch));
          times.push(...need(decodeMetricBody(body)).map(({ timeMs }) => timeMs));
        },
        destroy: () => {},
        leave: () => Promise.resolve(),
      };
    },
  });
  const pass = (ms: number): void => {
    clock.pass(ms);
    for (const one of due.splice(0)) {
      if (one.atMs <= clock.monotonicMs()) one.run();
      else due.push(one);
    }
  };
  outbox.addSnapshot(snapshotAt(outbox.time.nowMs(), 3, 1));
  clock.pass(60_000);
  pass(50);
  const up = (): void => handlers?.onUp();
  const greet = (): void => {
    const word = ackFor(NO_EPOCH, [], { brokerTimeMs: TRUE_MS });
    handlers?.onAck(encodeAck(word));
  };
  return { outbox, pass, up, greet, times };
}

test('what was taken under a wrong clock is sealed after the greeting, at its true time', () => {
  const { outbox, pass, up, greet, times } = setUp();
  up();
  pass(100);
  expect(times).toEqual([]);
  greet();
  pass(10);
  expect(times).toHaveLength(1);
  // Right to the 100 ms that the connection had taken so far, not to the ten seconds of an answer to who knows what.
  expect(Math.abs((times[0] ?? 0) - (TRUE_MS - 60_150))).toBeLessThanOrEqual(100);
  expect(outbox.stats().foreignAcks).toBe(0);
  outbox.close();
});

test('a broker that does not greet gets it all the same, a moment later', () => {
  const { outbox, pass, up, times } = setUp();
  up();
  pass(GREETING_MS_MAX + 300);
  pass(10);
  expect(times).toHaveLength(1);
  outbox.close();
});
