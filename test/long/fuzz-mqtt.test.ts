// Mutated packets against the broker's front, over sockets, beside a witness that must be served as if nobody else were
// there. Counted is only what the front judged: a packet counts when the connection answered one behind it, or ended at
// it. TILLWATCH_FUZZ_PACKETS says how many; 5 000 000 is the whole.

import { connect } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MQTT_LIMITS } from '../../broker/mqtt/limits.ts';
import { commandTopic, goneTopic, upTopic } from '../../protocol/topics.ts';
import { makeBatch, type Rig, startRig, type Terminal, until } from '../real/front-rig.ts';
import { amount, createDice, heldBytes, readSeeds } from './fuzz/mutate.ts';

const PACKETS = amount('TILLWATCH_FUZZ_PACKETS', 120_000);
const SEED = amount('TILLWATCH_FUZZ_SEED', 20_261_122);
/** Beside each other; all in one process with the front. */
const LANES = 24;
const PER_CONNECTION = 192;
const SILENT_MS = 3_000;
const GROWTH_BYTES_MAX = 48 * 2 ** 20;

let rig: Rig;
let witness: Terminal;
beforeAll(async () => {
  const endless = 1e12;
  rig = await startRig({
    connects: { burst: endless, perSecond: endless },
    terminal: {
      ...{ connectsPerMinute: endless, publishesPerSecond: endless, bytesPerSecond: endless },
      smallPerSecond: endless,
    },
    ...{ connectTimeoutMs: 2_000, drainTimeoutMs: 2_000, connections: MQTT_LIMITS.connections },
  });
  witness = await rig.terminal('lane-witness');
});
afterAll(() => rig?.close());

const generate = (packet: object): Buffer => mqttPacket.generate(packet as never);
const connectOf = (id: string): Buffer =>
  generate({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 },
    ...{ clientId: id, will: { topic: goneTopic(id), payload: 'x', qos: 1, retain: false } },
    username: '1;machine=aaaaaaaaaaaaaaaa;instance=bbbbbbbbbbbbbbbb;trust=1',
  });
const publishOf = (id: string, messageId: number, payload: Buffer, topic = upTopic(id, 'events')) =>
  generate({
    ...{ cmd: 'publish', topic, payload, qos: 1, messageId, retain: false, dup: false },
  });
const subscribeOf = (topic: string): Buffer =>
  generate({ cmd: 'subscribe', messageId: 3, subscriptions: [{ topic, qos: 1 }] });
const PING = Buffer.from([0xc0, 0]);

function corpus(id: string): Buffer[] {
  return [
    connectOf(id),
    publishOf(id, 1, Buffer.from(makeBatch(1))),
    publishOf(id, 2, Buffer.from(makeBatch(2, { stream: 'metrics', encoding: 'deflate' }))),
    publishOf(id, 3, Buffer.from('x'), goneTopic(id)),
    // Only ever what a hostile terminal would want: the witness's own.
    publishOf(id, 4, Buffer.from(makeBatch(9)), upTopic('lane-witness', 'events')),
    subscribeOf(commandTopic(id)),
    subscribeOf(commandTopic('lane-witness')),
    subscribeOf('#'),
    generate({ cmd: 'unsubscribe', messageId: 4, unsubscriptions: [commandTopic(id)] }),
    ...[PING, Buffer.from([0x40, 2, 0, 1]), Buffer.from([0xe0, 0]), Buffer.from([0x62, 2, 0, 1])],
    ...readSeeds('mqtt'),
  ];
}

/** @returns how many of the packets it judged. */
function attack(first: Buffer, packets: readonly Buffer[], each: boolean): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: rig.front.port });
    let pings = 0;
    let pubacks = 0;
    let isReady = false;
    const silent = setTimeout(() => socket.destroy(), SILENT_MS);
    const judged = (): number => (each ? pings : pubacks);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 2 && rest.length >= 2 + (rest[1] ?? 0)) {
        const type = (rest[0] ?? 0) >> 4;
        if (type === 2) isReady = true;
        if (type === 13) pings += 1;
        if (type === 4) pubacks += 1;
        rest = rest.subarray(2 + (rest[1] ?? 0));
      }
      if (judged() >= packets.length) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(silent);
      resolve(Math.min(packets.length, judged() + 1) * (isReady || !each ? 1 : 0) || 1);
    });
    const parts = each ? packets.flatMap((packet) => [packet, PING]) : packets;
    socket.write(Buffer.concat([first, ...parts]));
  });
}

it(`${PACKETS} mutated packets: no crash, no memory that grows, nothing that is not one's own`, {
  timeout: 3_600_000,
}, async () => {
  const dice = createDice(SEED);
  let judged = 0;
  let heldAtFirst = 0;
  let served = 0;
  const count = (more: number): void => {
    judged += more;
  };
  const tick = async (): Promise<void> => {
    served += 1;
    await witness.send(makeBatch(served));
    await until('the witness is served', () => witness.acked(served), 30_000);
    witness.acks.splice(0, witness.acks.length - 2);
  };
  const lane = async (n: number): Promise<void> => {
    const id = `lane-${n}`;
    const seeds = corpus(id);
    const batches = [makeBatch(1), makeBatch(7, { stream: 'results' }), ...readSeeds('envelope')];
    while (judged < PACKETS) {
      // Most keep their header, so that the envelopes of a whole connection are read; the rest is anything.
      if (dice.pick(3) > 0) {
        const packets = Array.from({ length: PER_CONNECTION }, (_, at) =>
          publishOf(id, at + 1, dice.mutate(dice.of(batches), batches)),
        );
        count(await attack(connectOf(id), packets, false));
      } else {
        const packets = Array.from({ length: 8 }, () => dice.mutate(dice.of(seeds), seeds));
        const first = dice.pick(4) > 0 ? connectOf(id) : dice.mutate(connectOf(id), seeds);
        count(await attack(first, packets, true));
      }
      rig.logged.length = 0;
      rig.told.length = 0;
      if (heldAtFirst === 0 && judged > PACKETS / 5) heldAtFirst = heldBytes();
    }
  };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      await tick();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  await Promise.all(Array.from({ length: LANES }, (_, n) => lane(n)));
  isOver = true;
  await watching;
  await tick();
  const grown = heldBytes() - heldAtFirst;
  const note = `seed ${SEED}: ${judged} packets, ${Math.round(grown / 1024)} KiB more`;
  process.stdout.write(`${note}, ${JSON.stringify(Object.fromEntries(rig.counts))}\n`);
  expect(judged).toBeGreaterThanOrEqual(PACKETS);
  expect(rig.counted('refused internal'), note).toBe(0);
  // Nobody wrote in the witness's name, and nobody told it to do anything.
  expect(witness.commands).toEqual([]);
  expect(witness.closed()).toBe(false);
  const lanes = rig.ledger.stats();
  expect(lanes.failing).toBeUndefined();
  expect(grown, note).toBeLessThan(GROWTH_BYTES_MAX);
});
