// A broker whose clock is wrong for a minute, or that lies, tells its time to every terminal. By that word alone no
// terminal may find the certificates of all brokers expired: it would never again hear a better one.

import { afterEach, expect, test } from 'vitest';
import { startLink } from '../../agent/link/link.ts';
import type { SessionHandlers, SessionOptions } from '../../agent/link/session.ts';
import { encodeAck, NO_EPOCH } from '../../protocol/wire.ts';
import { makeQuickFolder } from './offline-rig.ts';
import { ackFor, fakeClock, open, quietLog } from './outbox-rig.ts';

const TRUE_MS = Date.UTC(2026, 10, 22);
const YEAR_MS = 365 * 24 * 3_600_000;
const folder = makeQuickFolder();
afterEach(() => folder.remove());

function timeAfter(toldMs: number, ownMs: number) {
  const clock = fakeClock(ownMs);
  const outbox = open(folder.path, clock);
  const due: (() => void)[] = [];
  let session: { options: SessionOptions; handlers: SessionHandlers } | undefined;
  startLink({
    ...{ terminal: 'lane-1', broker: { host: '127.0.0.1', port: 1 }, outbox, clock },
    ...{ log: quietLog(), onCommand: () => {}, random: () => 0, floorMs: () => TRUE_MS - YEAR_MS },
    timers: {
      after: (_ms, run) => {
        due.push(run);
        return () => {};
      },
      every: () => () => {},
    },
    openSession: (options, handlers) => {
      session = { options, handlers };
      return { publish: () => {}, destroy: () => {}, leave: () => Promise.resolve() };
    },
  });
  for (const run of due.splice(0)) run();
  session?.handlers.onUp();
  session?.handlers.onAck(encodeAck(ackFor(NO_EPOCH, [], { brokerTimeMs: toldMs })));
  const known = session?.options.time?.();
  outbox.close();
  return known;
}

test('a broker that is years ahead does not make every certificate look expired', () => {
  const known = timeAfter(TRUE_MS + 50 * YEAR_MS, TRUE_MS);
  expect(known?.nowMs).toBeLessThan(TRUE_MS + 60_000);
});

test('a till whose own clock is years ahead is put right by its broker', () => {
  const known = timeAfter(TRUE_MS, TRUE_MS + 50 * YEAR_MS);
  expect(known?.nowMs).toBeLessThan(TRUE_MS + 60_000);
});

test('and none of both makes it earlier than what is past for certain', () => {
  const known = timeAfter(TRUE_MS - 5 * YEAR_MS, TRUE_MS);
  expect(known?.nowMs).toBeGreaterThanOrEqual(TRUE_MS - YEAR_MS);
});
