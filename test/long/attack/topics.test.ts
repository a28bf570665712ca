// What a terminal with a good certificate tries with it: topics of others, of the broker and of everybody, packets that
// are no packets, subscriptions to what is not its own. It loses its session or its subscription, never gets an answer.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { PACKET_BYTES_MAX } from '../../../protocol/limits.ts';
import { commandTopic, goneTopic, upTopic } from '../../../protocol/topics.ts';
import { makeBatch, until } from '../../real/front-rig.ts';
import {
  type Client,
  connectPacket,
  type FleetRig,
  openFleetRig,
  publishPacket,
  type RigIdentity,
  subscribePacket,
} from '../../real/trust-rig.ts';
import { cutFor, expectRefused, refusedFor } from './rig.ts';

let rig: FleetRig;
let lane: RigIdentity;
let other: RigIdentity;
beforeAll(async () => {
  // Each case connects anew: that a terminal may do so only so often is tried elsewhere.
  rig = await openFleetRig();
  [lane, other] = await Promise.all([rig.enroll('lane-1'), rig.enroll('lane-2')]);
});
afterAll(() => rig?.close());

const cut = (reason: string, send: (client: Client) => void) =>
  expectRefused(rig, refusedFor(reason, 'lane-1'), () => cutFor(rig, lane, send));
const batch = Buffer.from(makeBatch(1));

it.each([
  ["another terminal's batches", upTopic('lane-2', 'events')],
  ["another terminal's goodbye", goneTopic('lane-2')],
  ['its own commands', commandTopic('lane-1')],
  ["another terminal's commands", commandTopic('lane-2')],
  ['its own acknowledgements', 'tillwatch/1/lane-1/down/ack'],
  ['$SYS', '$SYS/broker/clients/connected'],
  ['a shared subscription', '$share/group/tillwatch/1/lane-1/up/events'],
  ['a stream that does not exist', 'tillwatch/1/lane-1/up/secrets'],
  ['a level too many', 'tillwatch/1/lane-1/up/events/more'],
  ['another version', 'tillwatch/2/lane-1/up/events'],
  ['a terminal whose name begins alike', 'tillwatch/1/lane-10/up/events'],
  ['its name in capitals', 'tillwatch/1/LANE-1/up/events'],
  ['a way up (path traversal)', 'tillwatch/1/lane-1/../lane-2/up/events'],
  ['an empty level', 'tillwatch/1/lane-1//up/events'],
  ['a slash in front', '/tillwatch/1/lane-1/up/events'],
  ['a line end (log injection)', 'tillwatch/1/lane-1/up/events\n{"level":"info"}'],
  ['65 000 characters', 'x'.repeat(65_000)],
])('a publish to %s', (_what, topic) =>
  cut('topic', (client) => client.send(publishPacket('lane-1', batch, topic))),
);

it.each([
  ['#', '#'],
  ['+', 'tillwatch/1/+/up/events'],
])('a publish to a topic with %s', (_what, topic) =>
  expectRefused(rig, { ...refusedFor('topic', 'lane-1') }, () =>
    cutFor(rig, lane, (client) => client.send(publishPacket('lane-1', batch, topic))),
  ),
);

it('something retained', () =>
  cut('retained', (client) =>
    client.send({ ...publishPacket('lane-1', batch), retain: true } as never),
  ));

it.each([0, 2])('a publish with QoS %i', (qos) =>
  cut('quality_of_service', (client) =>
    client.send({ ...publishPacket('lane-1', batch), qos } as never),
  ),
);

it('a packet that is larger than any', () =>
  cut('packet_too_large', (client) => {
    const header = Buffer.from([0x32, 0, 0, 0, 0]);
    const bytes = PACKET_BYTES_MAX + 1;
    for (let at = 0; at < 4; at += 1) {
      header[at + 1] = ((bytes >> (7 * at)) & 0x7f) | (at < 3 ? 0x80 : 0);
    }
    client.socket.write(header);
  }));

it('a length that never ends', () =>
  cut('packet_too_large', (client) => client.socket.write(Buffer.from('32ffffffffff', 'hex'))));

it('a packet of a kind that is not there', () =>
  cut('malformed', (client) => client.socket.write(Buffer.from('0002aaaa', 'hex'))));

it('a second CONNECT', () => cut('malformed', (client) => client.send(connectPacket('lane-1'))));

const connectAs = (reason: string, more: object) =>
  expectRefused(rig, refusedFor(reason, 'lane-1'), async () => {
    const client = await rig.dial({ pair: lane });
    client.send(connectPacket('lane-1', {}, more));
    await client.closed();
    const ready = client.packets.some((p) => p.cmd === 'connack' && p.returnCode === 0);
    expect(ready).toBe(false);
  });
const will = { topic: goneTopic('lane-1'), payload: Buffer.from('x'), qos: 1, retain: false };

it('a session that is not clean', () => connectAs('session_not_clean', { clean: false }));
it("a will on another terminal's topic", () =>
  connectAs('will', { will: { ...will, topic: goneTopic('lane-2') } }));
it('a will on its own commands', () =>
  connectAs('will', { will: { ...will, topic: commandTopic('lane-1') } }));
it('a will that is retained', () => connectAs('will', { will: { ...will, retain: true } }));
it('a will with QoS 2', () => connectAs('will', { will: { ...will, qos: 2 } }));

it.each([
  '#',
  '+/#',
  'tillwatch/#',
  'tillwatch/1/+/down/command',
  'tillwatch/1/lane-2/down/command',
  'tillwatch/1/lane-2/down/ack',
  'tillwatch/1/lane-1/down/#',
  'tillwatch/1/lane-1/up/events',
  '$SYS/#',
  '$SYS/broker/clients/connected',
  '$share/group/tillwatch/1/lane-1/down/command',
  '$share/group/#',
])('a subscription to %s', (topic) =>
  expectRefused(rig, refusedFor('subscription', 'lane-1'), async () => {
    const client = await rig.join(lane);
    client.send(subscribePacket('lane-1', topic));
    await until(
      'a refusal',
      () => client.closedMs() !== undefined || client.packets.some(({ cmd }) => cmd === 'suback'),
    );
    const suback = client.packets.find(({ cmd }) => cmd === 'suback');
    if (suback?.cmd === 'suback') expect(suback.granted).toEqual([128]);
    // Somebody else's traffic must not arrive.
    const neighbour = await rig.join(other);
    neighbour.send(publishPacket('lane-2', batch));
    await until('its PUBACK', () => neighbour.packets.some(({ cmd }) => cmd === 'puback'));
    neighbour.end();
    expect(client.packets.filter(({ cmd }) => cmd === 'publish')).toEqual([]);
    client.end();
  }),
);

it('a terminal in a crash-connect loop', () =>
  expectRefused(rig, refusedFor('terminal_rate', 'lane-3'), async () => {
    const loop = await rig.enroll('lane-3');
    let isSlowed = false;
    for (let times = 0; times < 80 && !isSlowed; times += 1) {
      const client = await rig.dial({ pair: loop });
      client.send(connectPacket('lane-3'));
      const connack = await client.next('connack').catch(() => undefined);
      isSlowed = connack?.cmd !== 'connack' || connack.returnCode !== 0;
      client.end();
    }
    expect(isSlowed).toBe(true);
    (await rig.join(other)).end();
  }));
