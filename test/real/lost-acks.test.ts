// Acknowledgements that are lost on the way: the broker has a batch on disk and the terminal does not know.
// It sends it again, perhaps many times, and in the end it stands in the ledger once. Without the ledger's
// look at the numbers that it has, this fails.

import { expect, test } from 'vitest';
import { startLink } from '../../agent/link/link.ts';
import { MemoryOutbox } from '../../agent/simulated/outbox.ts';
import { unpackBody } from '../../protocol/body.ts';
import { decodeEventBody } from '../../protocol/events.ts';
import { decodeBatch } from '../../protocol/wire.ts';
import { startAckThief } from './ack-thief.ts';
import { startRig, until } from './front-rig.ts';
import { realClock, realTimers } from './link-rig.ts';

const ROUNDS = 5;
const EVENTS = 8;

test('what is sent again because its acknowledgement was lost stands in the ledger once', async () => {
  const rig = await startRig();
  const thief = await startAckThief(rig.front.port);
  const shared = { clock: realClock, timers: realTimers, random: () => 0 };
  const outbox = new MemoryOutbox({ ...shared, sendMs: 50, phase: 0 });
  const link = startLink({
    ...shared,
    terminal: 'lane-1',
    broker: { host: '127.0.0.1', port: thief.port },
    outbox,
    backoff: { firstMsMax: 20, reconnectMsMin: 20, reconnectMsMax: 20 },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    onCommand: () => {},
  });
  try {
    const told: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let n = 0; n < EVENTS; n += 1) {
        const reason = `${round}.${n}`;
        told.push(reason);
        outbox.addEvent({ kind: 'agent_stopping', component: '', fields: { reason, left: [] } });
      }
      const taken = thief.taken();
      await until('an acknowledgement is stolen', () => thief.taken() > taken);
      thief.cut();
    }
    expect(rig.ledger.stats().rows).toBeGreaterThanOrEqual(ROUNDS);
    thief.steal(false);
    await until('everything is acknowledged', () => outbox.isEmpty());

    // It was sent again each time, and was known.
    expect(rig.counted('events duplicate')).toBeGreaterThanOrEqual(ROUNDS);
    const rows = rig.ledger.readAfter(0, 1_000);
    expect(new Set(rows.map(({ stream, seq }) => `${stream} ${seq}`)).size).toBe(rows.length);
    const arrived = rows.flatMap(({ bytes }) => {
      const batch = decodeBatch(bytes);
      const body = batch.ok ? unpackBody(batch.value) : batch;
      const events = body.ok ? decodeEventBody(body.value) : body;
      if (!events.ok) throw new Error(events.reason);
      return events.value.map(({ fields }) => String(fields['reason']));
    });
    expect(arrived.sort()).toEqual(told.sort());
  } finally {
    await link.stop();
    thief.close();
    await rig.close();
  }
});
