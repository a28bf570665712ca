// MQTT over TLS with real sockets: who is let in by a certificate, what a terminal may do with it, and how soon it is
// out when it is revoked. Limits in front of the handshake are in test/long/tls-limits.test.ts.

import { connect } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatHello } from '../../protocol/hello.ts';
import { upTopic } from '../../protocol/topics.ts';
import { connectRaw, makeBatch, until } from './front-rig.ts';
import {
  type Certificate,
  DAY_MS,
  newAuthority,
  startTlsRig,
  type TestAuthority,
  type TlsRig,
} from './tls-front-rig.ts';

let rig: TlsRig;
let other: TestAuthority;
beforeAll(async () => {
  [rig, other] = await Promise.all([startTlsRig(), newAuthority()]);
});
afterAll(() => rig.close());
afterEach(() => {
  rig.identities.states.clear();
  rig.refusals.length = 0;
});

const connectPacket = (clientId: string): Buffer =>
  mqttPacket.generate({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId },
    ...{ clean: true, keepalive: 60 },
  });
/** The return code of a CONNACK [MQTT-3.2.2]; undefined while there is none. */
const connack = (got: Buffer): number | undefined => (got[0] === 0x20 ? got[3] : undefined);

/** Connects, says CONNECT at once, and waits for its end. */
async function expectShut(certificate: Partial<Certificate>, clientId = 'lane-1') {
  const before = rig.told.length;
  const raw = await rig.socket(certificate);
  if (!raw.closed()) raw.socket.write(connectPacket(clientId));
  await until('the end of the connection', raw.closed);
  expect(raw.got().length).toBe(0);
  expect(rig.told.slice(before)).toEqual([]);
}

describe('a terminal with its certificate', () => {
  test('has a session, and its batches are committed and acknowledged', async () => {
    const hello = { machine: '0123456789abcdef', instance: 'fedcba9876543210', trust: 3 };
    const lane = await rig.terminal('lane-1', { username: formatHello(hello) });
    await lane.send(makeBatch(1));
    await until('its acknowledgement', () => lane.acked(1));
    expect(rig.identities.greetings.at(-1)).toEqual({ terminal: 'lane-1', hello });
    await lane.end();
  });

  test('gets its commands, and what says nothing of itself is greeted without', async () => {
    const lane = await rig.terminal('lane-2');
    await until('its subscription', () => rig.front.sendCommand('lane-2', Buffer.from('do')));
    await until('the command', () => lane.commands.length > 0);
    expect(rig.identities.greetings.at(-1)).toEqual({ terminal: 'lane-2', hello: undefined });
    await lane.end();
  });

  test('may have no session under another name', async () => {
    const raw = await rig.socket(await rig.certificateOf('lane-1'));
    raw.socket.write(connectPacket('lane-2'));
    await until('its refusal', raw.closed);
    expect(connack(raw.got())).toBe(2);
    expect(rig.refusals).toMatchObject([{ reason: 'client_id', terminal: 'lane-1' }]);
  });

  test("may not publish under another's name", async () => {
    const lane = await rig.terminal('lane-1');
    lane.client.publish(upTopic('lane-2', 'events'), Buffer.from('x'), { qos: 1 });
    await lane.ended;
    expect(rig.refusals).toMatchObject([{ reason: 'topic', terminal: 'lane-1' }]);
  });
});

describe('no session and no byte read', () => {
  test('without a certificate', async () => {
    await expectShut({});
    expect(rig.refusals).toMatchObject([
      { reason: 'certificate', sentence: 'it showed no certificate', terminal: undefined },
    ]);
  });

  test("with another authority's, whatever it says", async () => {
    await expectShut(await other.terminal('lane-1'));
    expect(rig.refusals).toMatchObject([{ reason: 'certificate', terminal: undefined }]);
  });

  test('with one that is over', async () => {
    const over = await rig.trust.authority.terminal('lane-1', Date.now() - 10 * DAY_MS);
    await expectShut(over);
    expect(rig.refusals).toMatchObject([{ reason: 'certificate', terminal: 'lane-1' }]);
    expect(rig.refusals[0]?.sentence).toContain('CERT_HAS_EXPIRED');
  });

  test('with one that does not begin yet', async () => {
    const early = await rig.trust.authority.terminal('lane-1', Date.now() + DAY_MS);
    await expectShut(early);
    expect(rig.refusals[0]?.sentence).toContain('CERT_NOT_YET_VALID');
  });

  test('with a certificate of a broker', async () => {
    await expectShut(await rig.trust.authority.server());
    expect(rig.refusals).toMatchObject([{ reason: 'certificate', terminal: undefined }]);
  });

  test('when it is revoked, and the refusal says whose it was', async () => {
    rig.identities.states.set('lane-1', 'revoked');
    await expectShut(await rig.certificateOf('lane-1'));
    expect(rig.refusals).toMatchObject([{ reason: 'revoked', terminal: 'lane-1' }]);
  });

  test('when its certificate was renewed away between its handshake and its CONNECT', async () => {
    const raw = await rig.socket(await rig.certificateOf('lane-1'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    rig.identities.states.set('lane-1', 'renewed');
    const before = rig.told.length;
    raw.socket.write(connectPacket('lane-1'));
    await until('its answer', () => connack(raw.got()) !== undefined);
    expect(connack(raw.got())).toBe(5);
    await until('its end', raw.closed);
    expect(rig.told.slice(before)).toEqual([]);
    expect(rig.refusals).toMatchObject([{ reason: 'certificate', terminal: 'lane-1' }]);
  });

  test('with TLS 1.2', async () => {
    const before = rig.counted('refused handshake');
    const old = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    const raw = await rig.socket(await rig.certificateOf('lane-1'), old);
    expect(raw.isSecure).toBe(false);
    expect(rig.counted('refused handshake')).toBe(before + 1);
  });

  test('with another protocol than MQTT', async () => {
    const raw = await rig.socket(await rig.certificateOf('lane-1'), { ALPNProtocols: ['h2'] });
    expect(raw.isSecure).toBe(false);
    await until('its count', () => rig.refusals.length > 0);
    expect(rig.refusals).toMatchObject([{ reason: 'handshake' }]);
  });

  test('in plain text: the first byte is enough', async () => {
    const raw = await connectRaw(rig.front.port);
    raw.socket.write(connectPacket('lane-1'));
    await until('its end', raw.closed);
    expect(raw.got().length).toBe(0);
  });
});

describe('a terminal that is revoked', () => {
  test('is out at once, and hears why', async () => {
    const lane = await rig.terminal('lane-3');
    const atMs = performance.now();
    rig.identities.revoke('lane-3');
    await lane.ended;
    expect(performance.now() - atMs).toBeLessThan(1_000);
    expect(lane.greetings.at(-1)?.notice).toContain('revoked');
    expect(rig.told).toContain('lane-3 cut');
    expect(rig.counted('refused revoked')).toBeGreaterThan(0);
  });

  test('is out also before it says CONNECT', async () => {
    const raw = await rig.socket(await rig.certificateOf('lane-4'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(raw.closed()).toBe(false);
    rig.identities.revoke('lane-4');
    await until('its end', raw.closed, 1_000);
  });

  test('in the middle of its handshake is not let in', async () => {
    const certificate = await rig.certificateOf('lane-5');
    // The ClientHello goes out, the rest is held back until the terminal is revoked.
    const raw = connect({ host: '127.0.0.1', port: rig.front.port });
    const socket = rig.socket(certificate, { socket: raw });
    await new Promise((resolve) => raw.once('connect', resolve));
    raw.cork();
    rig.identities.revoke('lane-5');
    raw.uncork();
    const watched = await socket;
    if (!watched.closed()) watched.socket.write(connectPacket('lane-5'));
    await until('its end', watched.closed, 1_000);
    expect(watched.got().length).toBe(0);
  });

  test('is out while its publishes wait and it is not read', async () => {
    const lane = await rig.terminal('lane-6');
    for (let seq = 1; seq <= 500; seq += 1) void lane.send(makeBatch(seq)).catch(() => {});
    rig.identities.revoke('lane-6');
    await lane.ended;
    expect(rig.told).toContain('lane-6 cut');
  });
});

test('no session is resumed: a ticket from before a revocation is worth nothing', async () => {
  const certificate = await rig.certificateOf('lane-7');
  const sessions: Buffer[] = [];
  const first = await rig.socket(certificate);
  first.socket.on('session', (session) => sessions.push(session));
  first.socket.write(connectPacket('lane-7'));
  await until('CONNACK', () => connack(first.got()) === 0);
  await until(
    'what TLS gives for resuming',
    () => sessions.length > 0 || first.closed(),
    300,
  ).catch(() => undefined);
  const kept = sessions.at(-1) ?? first.socket.getSession();
  // Not revoked yet: even then it is a whole handshake again.
  const again = await rig.socket(certificate, { ...(kept && { session: kept }) });
  expect(again.socket.isSessionReused()).toBe(false);
  again.socket.destroy();
  rig.identities.revoke('lane-7');
  await until('its end', first.closed, 1_000);
  const late = await rig.socket(certificate, { ...(kept && { session: kept }) });
  expect(late.socket.isSessionReused()).not.toBe(true);
  await until('its end', late.closed, 1_000);
  expect(late.got().length).toBe(0);
});

describe('a terminal that is suspended', () => {
  test('may be there, keeps what it has, gets nothing, and sends it again once it is resumed', async () => {
    rig.identities.states.set('lane-8', 'suspended');
    const lane = await rig.terminal('lane-8');
    await lane.send(makeBatch(1));
    await until('it hears why', () => rig.refusals.some(({ reason }) => reason === 'suspended'));
    expect(rig.front.sendCommand('lane-8', Buffer.from('do'))).toBe(false);
    expect(lane.acks).toEqual([]);
    expect(rig.told).toContain('lane-8 opened');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lane.acks).toEqual([]);
    rig.identities.states.clear();
    await lane.ended;
    const back = await rig.terminal('lane-8');
    await back.send(makeBatch(1));
    await until('its acknowledgement', () => back.acked(1));
    await back.end();
  });
});

test('the certificate of the broker is replaced without a restart, and so are its authorities', async () => {
  const before = rig.trust.server();
  const old = await rig.certificateOf('lane-9');
  const fresh = await other.terminal('lane-9');
  rig.trust.replace({
    ...(await other.server()),
    authorities: [...before.authorities, other.certificate],
  });
  const ca = [other.certificate];
  for (const certificate of [old, fresh]) {
    const raw = await rig.socket(certificate, { ca });
    raw.socket.write(connectPacket('lane-9'));
    await until('CONNACK', () => connack(raw.got()) === 0);
    raw.socket.destroy();
  }
  rig.trust.replace({ ...(await other.server()), authorities: ca });
  const raw = await rig.socket(old, { ca });
  await until('its end', raw.closed);
  rig.trust.replace(before);
});

test('a session under an authority that is dropped ends with it, and the others stay', async () => {
  const before = rig.trust.server();
  const ca = [...before.authorities, other.certificate];
  rig.trust.replace({ ...before, authorities: ca });
  const old = await rig.socket(await rig.certificateOf('lane-9'));
  const fresh = await rig.socket(await other.terminal('lane-7'));
  for (const [raw, id] of [
    [old, 'lane-9'],
    [fresh, 'lane-7'],
  ] as const) {
    raw.socket.write(connectPacket(id));
    await until('CONNACK', () => connack(raw.got()) === 0);
  }
  rig.trust.replace({ ...(await other.server()), authorities: [other.certificate] });
  await until('the end of the old one', old.closed);
  expect(fresh.closed()).toBe(false);
  expect(rig.refusals).toMatchObject([{ reason: 'certificate', terminal: 'lane-9' }]);
  fresh.socket.destroy();
  rig.trust.replace(before);
});
