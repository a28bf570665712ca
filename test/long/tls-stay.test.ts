// Who was let in rightly, and what that is worth later: a certificate that ends while its session lives, and one that
// opens connections without end.

import mqttPacket from 'mqtt-packet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../real/front-rig.ts';
import { DAY_MS, startTlsRig, type TlsRig } from '../real/tls-front-rig.ts';

const LEFT_MS = 4_000;
let rig: TlsRig;
beforeEach(async () => {
  rig = await startTlsRig();
});
afterEach(() => rig.close());

const connectPacket = mqttPacket.generate({
  ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'lane-1' },
  ...{ clean: true, keepalive: 60 },
});

test('a session ends with the certificate that opened it', async () => {
  const neighbour = await rig.socket(await rig.certificateOf('lane-2'));
  const certificate = await rig.trust.authority.terminal('lane-1', Date.now() + LEFT_MS - DAY_MS);
  const live = await rig.socket(certificate);
  live.socket.write(connectPacket);
  await until('it is accepted', () => live.got().length === 4 && live.got()[3] === 0);
  await until('its end', live.closed, LEFT_MS + 3_000);
  expect(rig.counted('refused certificate')).toBe(1);
  expect(rig.refusals.at(-1)).toMatchObject({ reason: 'certificate', terminal: 'lane-1' });
  expect(neighbour.closed()).toBe(false);
  const again = await rig.socket(certificate);
  await until('it does not come back', again.closed);
});

test('one certificate takes a few connections and no more; the newest wins', async () => {
  const certificate = await rig.certificateOf('lane-1');
  const neighbour = await rig.terminal('lane-2');
  for (let n = 0; n < 12; n += 1) await rig.socket(certificate);
  await until('the others are closed', () => rig.front.connections() <= 5, 2_000);
  expect(rig.counted('refused terminal_rate')).toBe(8);
  const last = await rig.socket(certificate);
  last.socket.write(connectPacket);
  await until('the last one is served', () => last.got()[3] === 0);
  await neighbour.end();
});
