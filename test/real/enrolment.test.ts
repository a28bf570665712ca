import { afterAll, beforeAll, expect, it } from 'vitest';
import { ENROL_PATH } from '../../protocol/enrolment.ts';
import { makeBatch, until } from './front-rig.ts';
import {
  connectPacket,
  type FleetRig,
  MACHINE,
  makeRequest,
  openFleetRig,
  publishPacket,
  tokenOf,
} from './trust-rig.ts';

let rig: FleetRig;
beforeAll(async () => {
  rig = await openFleetRig();
});
afterAll(() => rig.close());

it('a token that was used enrols nobody else', async () => {
  const { id, secret } = tokenOf(await rig.token('lane-1'));
  const ask = async () => {
    const { csr } = await makeRequest('lane-1');
    const body = { token: { id, secret }, terminal: 'lane-1', csr, machine: MACHINE };
    return await rig.ask(ENROL_PATH, { body });
  };
  expect((await ask()).status).toBe(200);
  expect(await ask()).toMatchObject({ status: 403, body: { title: 'Forbidden' } });
  const { body } = await rig.api('audit?limit=3');
  expect(JSON.stringify(body)).toContain('token used already');
});

it('a revoked terminal is cut within a second, and stays out', async () => {
  const identity = await rig.enroll('lane-2');
  const client = await rig.join(identity);
  const sentMs = performance.now();
  await rig.act('lane-2', 'revoke');
  expect((await client.closed()) - sentMs).toBeLessThan(1_000);
  await expect(rig.join(identity)).rejects.toThrow();
  expect((await rig.api('terminals/lane-2')).body['identity']).toMatchObject({ state: 'revoked' });
});

it('a suspended terminal is online, and its data comes in when it is resumed', async () => {
  const identity = await rig.enroll('lane-3');
  await rig.act('lane-3', 'suspend');
  const client = await rig.join(identity);
  const batch = makeBatch(1);
  client.send(publishPacket('lane-3', batch));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(client.acks().flatMap(({ streams }) => streams)).toEqual([]);
  const view = async () => (await rig.api('terminals/lane-3')).body;
  expect(await view()).toMatchObject({ connected: true, identity: { state: 'suspended' } });
  client.end();
  await rig.act('lane-3', 'resume');
  const again = await rig.join(identity);
  again.send({
    cmd: 'subscribe',
    messageId: 5,
    subscriptions: [{ topic: 'tillwatch/1/lane-3/down/ack', qos: 1 }],
  });
  again.send(publishPacket('lane-3', batch));
  await until('its batch is acknowledged', () =>
    again.acks().some(({ streams }) => streams.length > 0),
  );
  again.end();
});

it('a retired terminal is cut, in no count, and its page can still be read', async () => {
  const identity = await rig.enroll('lane-4');
  const client = await rig.join(identity);
  const total = async () => ((await rig.api('fleet')).body['terminals'] as { total: number }).total;
  const before = await total();
  await rig.act('lane-4', 'retire');
  await client.closed();
  expect(await total()).toBe(before - 1);
  expect((await rig.api('terminals/lane-4')).body['identity']).toMatchObject({ state: 'retired' });
  expect(await rig.metric('pos_terminals_by_identity{state="revoked"}')).toBe(1);
});

it('another client id than that of the certificate is refused', async () => {
  const client = await rig.dial({ pair: await rig.enroll('lane-5') });
  client.send(connectPacket('lane-6'));
  expect(await client.next('connack')).toMatchObject({ returnCode: 2 });
});
