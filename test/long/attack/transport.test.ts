// Who gets to the broker at all. Each case says how it came, and is refused before a byte of MQTT is believed.

import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ENROL_PATH } from '../../../protocol/enrolment.ts';
import { Authority, USE } from '../../real/tls-rig.ts';
import {
  connectPacket,
  type FleetRig,
  MACHINE,
  makeRequest,
  openFleetRig,
  publishPacket,
  type RigIdentity,
  tokenOf,
} from '../../real/trust-rig.ts';
import { expectRefused, refusedFor, settled, shutOut, stolenAuthority } from './rig.ts';

let rig: FleetRig;
let lane: RigIdentity;
let stranger: Authority;
let stolen: Authority;
beforeAll(async () => {
  rig = await openFleetRig();
  [lane, stranger] = await Promise.all([rig.enroll('lane-1'), Authority.make('another fleet')]);
  stolen = await stolenAuthority(rig);
});
afterAll(() => rig?.close());

const asLane = (pair: { certificate: string; key: string }) => () =>
  shutOut(rig, { pair }, 'lane-1');
const leaf = { commonName: 'lane-1', use: [USE.client] };

it('no certificate', () =>
  expectRefused(rig, refusedFor('certificate'), () => shutOut(rig, {}, 'lane-1')));

it("another authority's certificate with the right name", async () => {
  const pair = await stranger.issue(leaf);
  await expectRefused(rig, refusedFor('certificate'), asLane(pair));
});

it('a certificate that signed itself, with the right name', async () => {
  const own = await Authority.make('lane-1');
  const pair = await own.issue(leaf);
  await expectRefused(rig, refusedFor('certificate'), asLane(pair));
});

it("an authority of the same name as the fleet's", async () => {
  const { X509Certificate } = await import('@peculiar/x509');
  const name = new X509Certificate(rig.authorities[0] ?? '').subject.replace(/.*CN=/, '');
  const pair = await (await Authority.make(name)).issue(leaf);
  await expectRefused(rig, refusedFor('certificate'), asLane(pair));
});

it("a broker's certificate used as a terminal's", async () => {
  const pair = await stolen.issue({ ...leaf, use: [USE.server] });
  await expectRefused(rig, refusedFor('certificate'), asLane(pair));
});

it('a certificate for no use', async () => {
  const pair = await stolen.issue({ ...leaf, use: [] });
  await expectRefused(rig, refusedFor('certificate'), asLane(pair));
});

it('a certificate of the right authority that this broker never issued', async () => {
  const pair = await stolen.issue(leaf);
  await expectRefused(rig, refusedFor('revoked', 'lane-1'), asLane(pair));
});

it('a certificate whose name is no terminal', async () => {
  const pair = await stolen.issue({ ...leaf, commonName: '../lane-1' });
  await expectRefused(rig, refusedFor('certificate'), asLane(pair));
});

it("another terminal's client id", () =>
  expectRefused(rig, refusedFor('client_id', 'lane-1'), () =>
    shutOut(rig, { pair: lane }, 'lane-2'),
  ));

it('an empty client id', () =>
  expectRefused(rig, refusedFor('client_id', 'lane-1'), () => shutOut(rig, { pair: lane }, '')));

it('a client id with a topic in it', () =>
  expectRefused(rig, refusedFor('client_id', 'lane-1'), () =>
    shutOut(rig, { pair: lane }, 'lane-1/down/#'),
  ));

const tls = (more: object): Promise<void> =>
  new Promise((resolve) => {
    const socket = connectTls({
      ...{ host: '127.0.0.1', port: rig.mqttPort, rejectUnauthorized: false },
      ...{ key: lane.key, cert: lane.certificate, ALPNProtocols: ['mqtt'], ...more },
    });
    socket.on('data', (bytes: Buffer) => expect(bytes.toString('hex')).toBe('nothing'));
    socket.on('error', () => undefined);
    socket.on('secureConnect', () =>
      socket.write(Buffer.from('101200044d5154540402003c00066c616e652d31', 'hex')),
    );
    socket.on('close', () => resolve());
  });

it('TLS 1.2', () =>
  expectRefused(rig, refusedFor('handshake'), () => tls({ maxVersion: 'TLSv1.2' })));

it('no ALPN', () =>
  expectRefused(rig, refusedFor('handshake'), () => tls({ ALPNProtocols: undefined })));

it('another ALPN', () =>
  expectRefused(rig, refusedFor('handshake'), () => tls({ ALPNProtocols: ['h2'] })));

const plain = (bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: rig.mqttPort }, () => socket.write(bytes));
    socket.on('data', (got) => expect(got.toString('hex')).toBe('nothing'));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });

it('MQTT in plain text', () =>
  expectRefused(rig, refusedFor('handshake'), () =>
    plain(Buffer.from('101200044d5154540402003c00066c616e652d31', 'hex')),
  ));

it('HTTP in plain text at the port of the terminals', () =>
  expectRefused(rig, refusedFor('handshake'), () => plain(Buffer.from('GET / HTTP/1.1\r\n\r\n'))));

it('a ClientHello that says nothing and stays (slow loris in front of the handshake)', () =>
  expectRefused(rig, refusedFor('handshake_timeout'), () => plain(Buffer.from('160301', 'hex'))));

it('a handshake that stops in the middle', () =>
  expectRefused(rig, refusedFor('handshake_timeout'), () =>
    plain(Buffer.from('1603010005010000f0ff', 'hex')),
  ));

it('a CONNECT that never comes (slow loris behind the handshake)', () =>
  expectRefused(rig, refusedFor('connect_timeout', 'lane-1'), async () => {
    const client = await rig.dial({ pair: lane });
    client.socket.write(Buffer.from([0x10]));
    await client.closed(15_000);
  }));

it('a first packet that is no CONNECT', () =>
  expectRefused(rig, refusedFor('no_connect', 'lane-1'), async () => {
    const client = await rig.dial({ pair: lane });
    client.send(publishPacket('lane-1', Buffer.from('x')));
    await client.closed();
  }));

it.each([3, 5])('MQTT of another version (protocol level %i)', (protocolVersion) =>
  expectRefused(rig, refusedFor('protocol_version', 'lane-1'), async () => {
    const client = await rig.dial({ pair: lane });
    const protocolId = protocolVersion === 3 ? 'MQIsdp' : 'MQTT';
    client.send(connectPacket('lane-1', {}, { protocolId, protocolVersion } as never));
    await client.closed();
    expect(client.packets.some((p) => p.cmd === 'connack' && p.returnCode === 0)).toBe(false);
  }),
);

it('a revoked terminal', async () => {
  const gone = await rig.enroll('lane-r');
  await rig.act('lane-r', 'revoke');
  await expectRefused(rig, refusedFor('revoked', 'lane-r'), () =>
    shutOut(rig, { pair: gone }, 'lane-r'),
  );
});

it('a retired terminal', async () => {
  const gone = await rig.enroll('lane-q');
  await rig.act('lane-q', 'retire');
  await expectRefused(rig, refusedFor('revoked', 'lane-q'), () =>
    shutOut(rig, { pair: gone }, 'lane-q'),
  );
});

it('the certificate of a terminal that was replaced', async () => {
  const gone = await rig.enroll('lane-p');
  await rig.act('lane-p', 'replace');
  await expectRefused(rig, refusedFor('revoked', 'lane-p'), () =>
    shutOut(rig, { pair: gone }, 'lane-p'),
  );
});

it('a revoked terminal after a restart of the broker', async () => {
  const gone = await rig.enroll('lane-s');
  await rig.act('lane-s', 'revoke');
  await rig.stop();
  await rig.start();
  await expectRefused(rig, refusedFor('revoked', 'lane-s'), () =>
    shutOut(rig, { pair: gone }, 'lane-s'),
  );
});

it('what a suspended terminal sends', async () => {
  const lost = await rig.enroll('lane-t');
  await rig.act('lane-t', 'suspend');
  await expectRefused(rig, refusedFor('suspended', 'lane-t'), async () => {
    const client = await rig.join(lost);
    client.send(publishPacket('lane-t', Buffer.from('a batch')));
    await settled('its PUBACK', () => client.packets.some(({ cmd }) => cmd === 'puback'));
    expect(client.acks().flatMap(({ streams }) => streams)).toEqual([]);
    client.end();
  });
});

it('the certificate before the last, once the next one was used', async () => {
  const first = await rig.enroll('lane-u');
  const { id, secret } = tokenOf(
    String((await rig.act('lane-u', 'token', { store: 'store-1', again: true }))['token']),
  );
  const { key, csr } = await makeRequest('lane-u');
  const body = { token: { id, secret }, terminal: 'lane-u', csr, machine: MACHINE };
  const { certificate } = (await rig.ask(ENROL_PATH, { body })).body as { certificate: string };
  (await rig.join({ ...first, key, certificate })).end();
  await expectRefused(rig, refusedFor('revoked', 'lane-u'), () =>
    shutOut(rig, { pair: first }, 'lane-u'),
  );
});
