// What certificates say and who is let in, judged by readers that did not write them: node:crypto and, where it is
// there, openssl.

import { spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fingerprintOf, issueTerminal, makeServer } from '../../broker/trust/certificates.ts';
import { newKey } from '../../broker/trust/key-files.ts';
import { takeAuthority } from '../../broker/trust/make.ts';
import type { Trust } from '../../broker/trust/types.ts';
import { loadX509 } from '../../broker/trust/x509.ts';
import { csr, DAY_MS, must, openRig, P256, why } from './trust-rig.ts';

const CLIENT = '1.3.6.1.5.5.7.3.2';
const SERVER = '1.3.6.1.5.5.7.3.1';
const openssl = ['/usr/bin/openssl', '/usr/local/bin/openssl'].find(existsSync);

let rig: ReturnType<typeof openRig>;
let trust: Trust;
beforeEach(async () => {
  rig = openRig();
  must(await rig.make());
  trust = must(await rig.open());
});
afterEach(() => rig.close());

const authority = (): X509Certificate => new X509Certificate(trust.document().authorities[0] ?? '');

describe('an authority', () => {
  it('issues certificates and nothing below it may', () => {
    const { ca, publicKey, validTo, subject, issuer } = authority();
    expect(ca).toBe(true);
    expect(publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(subject).toBe(issuer);
    expect(authority().verify(publicKey)).toBe(true);
    const years = (Date.parse(validTo) - rig.nowMs()) / DAY_MS / 365.25;
    expect(years).toBeCloseTo(10, 1);
    expect(trust.fingerprint()).toBe(authority().fingerprint256.replaceAll(':', '').toLowerCase());
  });

  it('of a company is refused with a sentence when it cannot do what a fleet needs', async () => {
    const file = (name: string, text: string): string => {
      writeFileSync(join(rig.dir, name), text, { mode: 0o600 });
      return join(rig.dir, name);
    };
    const key = newKey('p256');
    const pem = (one = key): string => one.export({ type: 'pkcs8', format: 'pem' }).toString();
    const x509 = await loadX509();
    const write = async (extensions: InstanceType<typeof x509.Extension>[], days = 900) => {
      const publicKey = createPublicKey(key).toCryptoKey(P256, true, ['verify']);
      const keys = { publicKey, privateKey: key.toCryptoKey(P256, true, ['sign']) };
      const made = await x509.X509CertificateGenerator.createSelfSigned({
        name: 'CN=Chain root',
        ...{ keys, extensions, signingAlgorithm: { ...P256, hash: 'SHA-256' } },
        notBefore: new Date(rig.nowMs() - 9 * DAY_MS),
        notAfter: new Date(rig.nowMs() + days * DAY_MS),
      });
      return file('ca.pem', made.toString('pem'));
    };
    const take = (certificate: string, own = pem()) =>
      takeAuthority({ certificate, key: file('ca.key', own) }, undefined, rig.nowMs());
    const { BasicConstraintsExtension: Basic, KeyUsagesExtension: Usages } = x509;
    const good = [new Basic(true), new Usages(x509.KeyUsageFlags.keyCertSign)];
    expect(take(await write(good)).ok).toBe(true);
    expect(why(take(await write([new Basic(false)])))).toMatch(/is no certificate of an auth/);
    const other = [new Basic(true), new Usages(x509.KeyUsageFlags.cRLSign)];
    expect(why(take(await write(other)))).toMatch(/needs CA:TRUE and keyCertSign/);
    expect(why(take(await write(good, -1)))).toMatch(/is over/);
    expect(why(take(await write(good), pem(newKey('p256'))))).toMatch(/is not the key of/);
    expect(why(take(await write(good), pem(newKey('ed25519'))))).toMatch(/P-256 or P-384/);
    const servers = new x509.ExtendedKeyUsageExtension([SERVER]);
    expect(why(take(await write([...good, servers])))).toMatch(/both servers and clients/);
  });
});

describe("the broker's certificate", () => {
  it('is for its names and this machine, for servers only, and lasts ninety days', () => {
    const leaf = new X509Certificate(trust.server().cert);
    expect(leaf.verify(authority().publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual([SERVER]);
    for (const name of ['broker.example', 'localhost']) expect(leaf.checkHost(name)).toBe(name);
    for (const ip of ['10.1.2.3', '127.0.0.1', '::1']) expect(leaf.checkIP(ip)).toBeDefined();
    expect(leaf.checkHost('evil.example')).toBeUndefined();
    expect((Date.parse(leaf.validTo) - rig.nowMs()) / DAY_MS).toBeCloseTo(90, 3);
    expect(trust.server().cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });
});

describe('a terminal', () => {
  it('gets a certificate for itself, whatever its request says of its name', async () => {
    const issued = must(await trust.issue('lane-1', await csr(P256, 'SHA-256', 'CN=lane-9'), 30));
    const leaf = new X509Certificate(issued.certificate);
    expect(leaf.subject).toBe('CN=lane-1');
    expect(leaf.verify(authority().publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual([CLIENT]);
    expect(issued.serial).toMatch(/^[4-7][0-9a-f]{31}$/);
    expect(leaf.serialNumber.toLowerCase()).toBe(issued.serial);
    expect(issued.notBeforeMs).toBe(rig.nowMs() - 5 * 60_000);
    expect(issued.notAfterMs).toBe(rig.nowMs() + 30 * DAY_MS);
    const { publicKey, ...read } = must(trust.readClient(issued.certificate));
    const { certificate: _, ...same } = issued;
    expect(read).toEqual({ terminal: 'lane-1', ...same, authority: trust.fingerprint() });
    expect(publicKey.equals(leaf.publicKey)).toBe(true);
    expect(must(trust.readClient(leaf.raw)).terminal).toBe('lane-1');
  });

  it('never gets the same serial number twice', async () => {
    const request = await csr();
    const issue = () => trust.issue('lane-1', request, 1);
    const all = await Promise.all(Array.from({ length: 20 }, issue));
    expect(new Set(all.map((one) => must(one).serial)).size).toBe(20);
  });

  it('gets none for a request that is not as it should be', async () => {
    const good = await csr();
    const ask = async (pem: string, terminal = 'lane-1', days = 30) =>
      why(await trust.issue(terminal, pem, days));
    expect(await ask(good)).toBe('');
    expect(await ask(await csr({ name: 'ECDSA', namedCurve: 'P-384' }))).toMatch(/P-256/);
    expect(await ask(await csr(P256, 'SHA-512'))).toMatch(/SHA-256/);
    // The last bytes of a request are its signature; one in the middle is its key.
    const der = Buffer.from(good.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    const pem = (bytes: Buffer): string =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    const changed = Buffer.from(der);
    changed[der.length - 2] = (changed[der.length - 2] ?? 0) ^ 1;
    expect(await ask(pem(changed))).toMatch(/not signed with its own key/);
    for (let at = 0; at < der.length; at += 7) {
      const bad = Buffer.from(der);
      bad[at] = (bad[at] ?? 0) ^ 0x41;
      expect(await ask(pem(bad)), `byte ${at}`).not.toBe('');
      expect(await ask(pem(der.subarray(0, at))), `cut at ${at}`).not.toBe('');
    }
    for (const text of ['', 'hello', authority().toString(), 'x'.repeat(100_000)]) {
      expect(await ask(text)).toMatch(/no certificate request/);
    }
    for (const name of ['', 'Lane 1', '../x', 'a/b', 'lane-1\nCN=x']) {
      expect(await ask(good, name)).toMatch(/is for a terminal/);
    }
    for (const days of [0, -1, Number.NaN, 900]) {
      expect(await ask(good, 'lane-1', days)).toMatch(/lasts/);
    }
  });
});

describe('whoever connects', () => {
  const issuerOf = (key: ReturnType<typeof newKey>, certificate: string) => ({ key, certificate });

  it('is refused with a certificate of another authority, also one of the same name', async () => {
    const other = openRig();
    must(await other.make());
    const stranger = must(await other.open());
    const theirs = must(await stranger.issue('lane-1', await csr(), 30)).certificate;
    expect(why(trust.readClient(theirs))).toMatch(/not issued by an authority of this fleet/);
    // The same name, another key.
    const key = newKey('p256');
    const x509 = await loadX509();
    const keys = {
      publicKey: createPublicKey(key).toCryptoKey(P256, true, ['verify']),
      privateKey: key.toCryptoKey(P256, true, ['sign']),
    };
    const copy = await x509.X509CertificateGenerator.createSelfSigned({
      name: new x509.X509Certificate(authority().raw).subjectName.toString(),
      ...{ keys, signingAlgorithm: { ...P256, hash: 'SHA-256' } },
      notBefore: new Date(rig.nowMs() - 9 * DAY_MS),
      notAfter: new Date(rig.nowMs() + 99 * DAY_MS),
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
    });
    const forged = must(
      await issueTerminal(
        issuerOf(key, copy.toString('pem')),
        { terminal: 'lane-1', csrPem: await csr(), days: 9 },
        rig.nowMs(),
      ),
    );
    expect(why(trust.readClient(forged.certificate))).toMatch(/not issued by an authority/);
    other.close();
  });

  it('is refused with anything that is not the certificate of a terminal', async () => {
    const refuse = (what: string | Buffer) => why(trust.readClient(what));
    expect(refuse(trust.server().cert)).toMatch(/not one of a terminal/);
    expect(refuse(trust.document().authorities[0] ?? '')).toMatch(/not one of a terminal/);
    for (const junk of ['', 'x', Buffer.alloc(0), Buffer.alloc(60_000, 0x30)]) {
      expect(refuse(junk)).toBe('this is no certificate');
    }
    const { raw } = new X509Certificate(
      must(await trust.issue('lane-1', await csr(), 3)).certificate,
    );
    for (let at = 0; at < raw.length; at += 1) {
      const bad = Buffer.from(raw);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      expect(refuse(bad), `byte ${at}`).not.toBe('');
    }
  });

  it('is refused with another kind of certificate of our own authority, whatever its name', async () => {
    const x509 = await loadX509();
    const signer = createPrivateKey(readFileSync(join(rig.keysDir, 'authority-1.key')));
    const write = async (subject: object[], uses: string[] | undefined, ca = false) => {
      const made = await x509.X509CertificateGenerator.create({
        ...{
          subject: subject as never,
          issuer: new x509.X509Certificate(authority().raw).subjectName,
        },
        notBefore: new Date(rig.nowMs() - DAY_MS),
        notAfter: new Date(rig.nowMs() + DAY_MS),
        publicKey: createPublicKey(newKey('p256')).toCryptoKey(P256, true, ['verify']),
        signingKey: signer.toCryptoKey(P256, true, ['sign']),
        signingAlgorithm: { ...P256, hash: 'SHA-256' },
        extensions: [
          new x509.BasicConstraintsExtension(ca),
          ...(uses === undefined ? [] : [new x509.ExtendedKeyUsageExtension(uses)]),
        ],
      });
      return trust.readClient(made.toString('pem'));
    };
    const lane = [{ CN: ['lane-1'] }];
    expect((await write(lane, [CLIENT])).ok).toBe(true);
    const others = [
      await write(lane, [SERVER]),
      await write(lane, [CLIENT, SERVER]),
      await write(lane, undefined),
      await write(lane, [CLIENT], true),
      await write([{ O: ['Chain'] }, ...lane], [CLIENT]),
      await write([{ CN: ['lane-1', 'lane-2'] }], [CLIENT]),
      await write([{ CN: ['Lane 1'] }], [CLIENT]),
      await write([{ CN: ['lane-1\nCN=lane-2'] }], [CLIENT]),
      await write([{ O: ['lane-1'] }], [CLIENT]),
    ];
    for (const other of others) expect(why(other)).toMatch(/not one of a terminal/);
  });
});

describe.skipIf(openssl === undefined)('openssl', () => {
  it('finds nothing to complain about, strictly', async () => {
    const key = newKey('p256');
    const [ca, server, client] = ['ca.pem', 'server.pem', 'client.pem'].map((f) =>
      join(rig.dir, f),
    );
    const { certificate } = must(await trust.issue('lane-1', await csr(), 30));
    writeFileSync(ca ?? '', trust.document().authorities[0] ?? '');
    writeFileSync(client ?? '', certificate);
    writeFileSync(server ?? '', trust.server().cert);
    const at = String(Math.floor(rig.nowMs() / 1000));
    const verify = (purpose: string, file = ''): string => {
      const how = [
        'verify',
        '-x509_strict',
        '-attime',
        at,
        '-CAfile',
        ca ?? '',
        '-purpose',
        purpose,
      ];
      const { stdout, stderr } = spawnSync(openssl ?? '', [...how, file], { encoding: 'utf8' });
      return stdout + stderr;
    };
    expect(verify('sslclient', client)).toMatch(/: OK\n$/);
    expect(verify('sslserver', server)).toMatch(/: OK\n$/);
    expect(verify('sslserver', client)).toMatch(/verification failed/);
    expect(verify('sslclient', server)).toMatch(/verification failed/);
    // An authority with pathlen 0 cannot make a terminal an authority.
    const evil = must(
      await makeServer({ certificate, key }, createPublicKey(key), ['x.example'], rig.nowMs()),
    );
    writeFileSync(server ?? '', evil.certificate + certificate);
    expect(verify('sslserver', server)).toMatch(/verification failed/);
    expect(fingerprintOf(certificate)).toMatch(/^[0-9a-f]{64}$/);
  });
});
