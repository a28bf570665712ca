// A share of the mutated packets over real TLS, against a broker in a process of its own: bytes instead of a handshake,
// and wrong packets behind a good certificate. The millions are in fuzz-mqtt.test.ts.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { upTopic } from '../../protocol/topics.ts';
import { makeBatch, until } from '../real/front-rig.ts';
import { connectPacket, type FleetRig, openFleetRig, type RigIdentity } from '../real/trust-rig.ts';
import { createDice, readSeeds } from './fuzz/mutate.ts';

/** A terminal may connect sixty times at once, and then once a second. */
const PER_TERMINAL = 40;
const PACKETS = 40;
const GROWTH_BYTES_MAX = 64 * 2 ** 20;

let rig: FleetRig;
let identities: RigIdentity[];
let witness: RigIdentity;
beforeAll(async () => {
  rig = await openFleetRig();
  witness = await rig.enroll('witness');
  identities = await Promise.all(['lane-1', 'lane-2', 'lane-3'].map((id) => rig.enroll(id)));
});
afterAll(() => rig?.close());

const residentBytes = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${rig.pid()}/status`, 'utf8'))?.[1]) * 1024;
const publish = (id: string, payload: Uint8Array): Buffer =>
  mqttPacket.generate({
    ...{ cmd: 'publish', topic: upTopic(id, 'events'), payload: Buffer.from(payload) },
    ...{ qos: 1, messageId: 7, dup: false, retain: false },
  });

it('mutated packets behind a good certificate, and mutated handshakes, harm nobody', async () => {
  const dice = createDice(20_261_122);
  const client = await rig.join(witness);
  const before = residentBytes();
  let sent = 0;
  for (const identity of identities) {
    const { terminal } = identity;
    const seeds = [
      ...[publish(terminal, makeBatch(1)), publish('witness', makeBatch(1)), ...readSeeds('mqtt')],
      mqttPacket.generate({
        ...{ cmd: 'subscribe', messageId: 3 },
        subscriptions: [{ topic: 'tillwatch/1/witness/down/command', qos: 1 }],
      }),
    ];
    for (let times = 0; times < PER_TERMINAL; times += 1) {
      const one = await rig.dial({ pair: identity });
      one.send(connectPacket(terminal));
      for (let n = 0; n < PACKETS && one.closedMs() === undefined; n += 1) {
        one.socket.write(dice.mutate(dice.of(seeds), seeds));
        sent += 1;
        if (n % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
      }
      one.end();
    }
  }
  // A ClientHello as it is, and nearly.
  const hello = Buffer.from(
    `16030100c8010000c40303${'5a'.repeat(32)}00${'0002130100'.padEnd(320, '0')}`,
    'hex',
  );
  await Promise.all(
    Array.from(
      { length: 100 },
      () =>
        new Promise<void>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port: rig.mqttPort });
          socket.on('error', () => undefined);
          socket.on('close', () => resolve());
          socket.end(dice.mutate(hello, [hello]));
        }),
    ),
  );
  expect(sent).toBeGreaterThan(300);
  client.send({
    ...{ cmd: 'publish', topic: upTopic('witness', 'events'), payload: Buffer.from(makeBatch(1)) },
    ...{ qos: 1, messageId: 9, dup: false, retain: false },
  });
  await until('the witness is served', () => client.packets.some(({ cmd }) => cmd === 'puback'));
  expect(client.closedMs()).toBeUndefined();
  expect(client.packets.filter(({ cmd }) => cmd === 'publish')).toEqual([]);
  expect((await rig.metric('tillwatch_broker_refused_total{reason="internal"}')) ?? 0).toBe(0);
  expect(residentBytes() - before).toBeLessThan(GROWTH_BYTES_MAX);
  client.end();
});
