// Who tries to become a terminal, or to stay one: tokens that are used, of others, guessed or too old, requests that are
// not what they say, renewals that nobody is entitled to. Two of these need another time: the broker is started anew
// with a clock that is months ahead.

import 'reflect-metadata';
import { createSign, type webcrypto, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ENROL_PATH, type Enrolled, RENEW_PATH } from '../../../protocol/enrolment.ts';
import {
  type FleetRig,
  MACHINE,
  makeRequest,
  openFleetRig,
  type RigIdentity,
  tokenOf,
} from '../../real/trust-rig.ts';
import { answered, expectRefused, shutOut } from './rig.ts';

const FAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find((path) => existsSync(path));

let rig: FleetRig;
let lane: RigIdentity;
let other: RigIdentity;
beforeAll(async () => {
  rig = await openFleetRig();
  [lane, other] = await Promise.all([rig.enroll('lane-1'), rig.enroll('lane-2')]);
});
afterAll(() => rig?.close());

const enrol = (status: number, more: object = {}) =>
  answered(ENROL_PATH, status, {
    ...{ action: 'terminal.enrol', outcome: `refused ${status}` },
    ...more,
  });
const renew = (status: number) =>
  answered(RENEW_PATH, status, { action: 'terminal.renew', outcome: `refused ${status}` });

/** With a fresh token, unless it is to be another. */
async function body(terminal: string, more: object = {}) {
  const { id, secret } = tokenOf(await rig.token(terminal));
  const { csr } = await makeRequest(terminal);
  return { token: { id, secret }, terminal, csr, machine: MACHINE, ...more };
}
const refuse = (status: number, sent: object, path = ENROL_PATH) =>
  expectRefused(rig, path === ENROL_PATH ? enrol(status) : renew(status), async () => {
    const answer = await rig.ask(path, { body: sent });
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).not.toContain('BEGIN CERTIFICATE');
  });

it('a token that was used', async () => {
  const sent = await body('lane-3');
  expect((await rig.ask(ENROL_PATH, { body: sent })).status).toBe(200);
  await refuse(403, { ...sent, csr: (await makeRequest('lane-3')).csr });
});

it('a token of another terminal', async () =>
  await refuse(403, { ...(await body('lane-4')), terminal: 'lane-5' }));

it('a token with a wrong secret', async () => {
  const sent = await body('lane-4');
  await refuse(403, { ...sent, token: { ...sent.token, secret: 'x'.repeat(43) } });
});

it('a token that nobody made', async () =>
  await refuse(403, { ...(await body('lane-4')), token: { id: '0'.repeat(16), secret: 'y' } }));

it('a token that was taken back by a newer one', async () => {
  const sent = await body('lane-6');
  await rig.token('lane-6');
  await refuse(403, sent);
});

it('a token of a terminal that was revoked meanwhile', async () => {
  await rig.enroll('lane-7');
  const made = await rig.act('lane-7', 'token', { store: 'store-1', again: true });
  const { id, secret } = tokenOf(String(made['token']));
  await rig.act('lane-7', 'revoke');
  await refuse(403, { ...(await body('lane-8')), token: { id, secret }, terminal: 'lane-7' });
});

async function csrOf(algorithm: object, sign: object, name = 'CN=lane-9'): Promise<string> {
  const keys = await crypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, [
    'sign',
    'verify',
  ]);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    ...{ name, keys, signingAlgorithm: sign as webcrypto.EcdsaParams },
  });
  return made.toString('pem');
}
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

it('a request with an RSA key', async () => {
  const key = { ...RSA, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  await refuse(400, await body('lane-9', { csr: await csrOf(key, RSA) }));
});

it('a request with a key on P-384', async () => {
  const key = { name: 'ECDSA', namedCurve: 'P-384' };
  await refuse(400, await body('lane-9', { csr: await csrOf(key, { ...key, hash: 'SHA-384' }) }));
});

it('a request that is not signed by its own key', async () => {
  const { csr } = await makeRequest('lane-9');
  const der = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const at = der.length - 3;
  der[at] = (der[at] ?? 0) ^ 1;
  const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  await refuse(400, await body('lane-9', { csr: broken }));
});

it('a request that is none', async () => await refuse(400, await body('lane-9', { csr: 'hello' })));

it("a request in another terminal's name makes no certificate in that name", async () => {
  const sent = await body('lane-9', { csr: (await makeRequest('lane-1')).csr });
  const answer = await rig.ask(ENROL_PATH, { body: sent });
  const { certificate } = answer.body as { certificate?: string };
  if (certificate !== undefined) expect(new X509Certificate(certificate).subject).toBe('CN=lane-9');
  else expect(answer.status).toBe(400);
});

it('a request that asks to become an authority, or a broker, becomes neither', async () => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    ...{ name: 'CN=localhost', keys, signingAlgorithm: algorithm },
    extensions: [
      new x509.BasicConstraintsExtension(true, 2, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ],
  });
  const sent = await body('lane-10', { csr: made.toString('pem') });
  const { certificate = '' } = (await rig.ask(ENROL_PATH, { body: sent }))
    .body as Partial<Enrolled>;
  const issued = new X509Certificate(certificate);
  expect([issued.ca, issued.subject, issued.subjectAltName, issued.keyUsage]).toEqual([
    ...[false, 'CN=lane-10', undefined, ['1.3.6.1.5.5.7.3.2']],
  ]);
});

async function renewal(of: RigIdentity, key = of.key, terminal = of.terminal) {
  const { csr } = await makeRequest(terminal);
  const signature = createSign('sha256').update(csr).sign(key, 'base64');
  return { certificate: of.certificate, csr, signature, machine: MACHINE };
}

it("a renewal that is signed with another terminal's key", async () =>
  await refuse(403, await renewal(lane, other.key), RENEW_PATH));

it('a renewal whose request is not the one that was signed', async () => {
  const { csr } = await makeRequest('lane-1');
  await refuse(403, { ...(await renewal(lane)), csr }, RENEW_PATH);
});

it('a renewal with a certificate of another authority', async () => {
  const { Authority, USE } = await import('../../real/tls-rig.ts');
  const pair = await (await Authority.make()).issue({ commonName: 'lane-1', use: [USE.client] });
  await refuse(403, await renewal({ ...lane, ...pair }), RENEW_PATH);
});

it('a renewal after revocation', async () => {
  const gone = await rig.enroll('lane-11');
  await rig.act('lane-11', 'revoke');
  await refuse(403, await renewal(gone), RENEW_PATH);
});

it('a renewal with a certificate that was renewed already, by whoever copied it', async () => {
  const copied = await rig.enroll('lane-12');
  const first = await rig.ask(RENEW_PATH, { body: await renewal(copied) });
  expect(first.status).toBe(200);
  const { certificate } = first.body as { certificate: string };
  // The new one was used: the old one is over.
  const { csr, key } = await makeRequest('lane-12');
  const signature = createSign('sha256').update(csr).sign(copied.key, 'base64');
  const twice = { certificate: copied.certificate, csr, signature, machine: 'b'.repeat(16) };
  const answer = await rig.ask(RENEW_PATH, { body: twice });
  expect([200, 403]).toContain(answer.status);
  expect(key).not.toBe(certificate);
});

it.each([
  ['a field too many', { more: 1 }],
  ['a terminal that is a path', { terminal: '../../lane-1' }],
  ['a terminal that is a list', { terminal: ['lane-1'] }],
  ['a prototype as token', { token: { __proto__: { id: 'x' } } }],
  ['no machine', { machine: undefined }],
])('an enrolment with %s', async (_what, more) => {
  const sent = { ...(await body('lane-13')), ...more };
  await expectRefused(
    rig,
    answered(ENROL_PATH, 400, { outcome: 'refused 400' }),
    async () => void expect((await rig.ask(ENROL_PATH, { body: sent })).status).toBe(400),
  );
});

it('an enrolment of a megabyte', () =>
  expectRefused(
    rig,
    answered(ENROL_PATH, 413, { action: 'http.post', outcome: 'refused 413' }),
    async () => {
      const sent = { csr: 'x'.repeat(1_000_000) };
      expect((await rig.ask(ENROL_PATH, { body: sent })).status).toBe(413);
    },
  ));

it('guessing: after some failures an address has to wait', async () => {
  const { csr } = await makeRequest('lane-1');
  const guess = (secret: string) => ({
    ...{ token: { id: 'f'.repeat(16), secret }, terminal: 'lane-1', csr, machine: MACHINE },
  });
  await expectRefused(rig, enrol(429), async () => {
    let status = 403;
    for (let times = 0; times < 40 && status === 403; times += 1) {
      ({ status } = await rig.ask(ENROL_PATH, { body: guess(`${times}`) }));
    }
    expect(status).toBe(429);
  });
});

/** To a broker whose certificate, seen from now, is not valid yet. */
const askLater = (path: string, sent: object): Promise<number> =>
  new Promise((resolve, reject) => {
    const asked = request(
      `${rig.url}${path}`,
      {
        ...{ method: 'POST', rejectUnauthorized: false, agent: false },
        headers: { 'content-type': 'application/json' },
      },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    asked.on('error', reject);
    asked.end(JSON.stringify(sent));
  });

/** From the file, because sessions do not live for months. */
function refusals(): string[] {
  const db = new DatabaseSync(join(rig.dataDir, 'registry.db'), { readOnly: true });
  const rows = db.prepare('SELECT * FROM audit ORDER BY id DESC LIMIT 12').all();
  db.close();
  return rows.map((row) => {
    const { action, subject, outcome, reason, detail } = row;
    return [action, subject, outcome, reason, detail].join(' ');
  });
}

it('months later: a token that is too old, a certificate that has ended, a renewal after the grace', async () => {
  if (FAKETIME === undefined) throw new Error('libfaketime is needed: the Debian package faketime');
  const late = await body('lane-14');
  const ended = await renewal(lane);
  await rig.stop();
  await rig.start({
    ...{ LD_PRELOAD: FAKETIME, FAKETIME: '+200d', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  });
  expect(await askLater(ENROL_PATH, late)).toBe(403);
  expect(await askLater(RENEW_PATH, ended)).toBe(403);
  const { dial, connectPacket } = await import('../../real/trust-rig.ts');
  const client = await dial({ port: rig.mqttPort, pair: lane }).catch(() => undefined);
  client?.send(connectPacket('lane-1'));
  await client?.closed();
  expect(client?.packets ?? []).toEqual([]);
  expect(refusals()).toEqual(
    expect.arrayContaining([
      expect.stringContaining('token too old'),
      expect.stringContaining('lane-1 has ended'),
      expect.stringContaining('terminal.renew lane-1 refused 403'),
    ]),
  );
});

it('before it begins: a certificate that is not valid yet', async () => {
  if (FAKETIME === undefined) throw new Error('libfaketime is needed: the Debian package faketime');
  await rig.stop();
  await rig.start({
    ...{ LD_PRELOAD: FAKETIME, FAKETIME: '-3d', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  });
  await shutOut(rig, { pair: other }, 'lane-2');
  expect(refusals()).toEqual(
    expect.arrayContaining([expect.stringContaining('begins in the future')]),
  );
  // Whatever the clock was before, the broker can be reached by who looks at the time.
  const session = await rig.signIn(rig.operatorToken);
  const { body: metrics } = await rig.ask('/metrics', { session });
  expect(String(metrics['text'])).toContain(
    'tillwatch_broker_refused_total{reason="certificate"} 1',
  );
});
