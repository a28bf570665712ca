// A terminal asks for its certificate: whom it tells its secret, what it accepts, and what is left when it is cut off.

import { verify, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runJob } from '../../agent/identity/enrolling.ts';
import { loadIdentity, takeOver } from '../../agent/system/identity-folder.ts';
import { ENROL_PATH, RENEW_PATH } from '../../protocol/enrolment.ts';
import { realTimers } from '../real/link-rig.ts';
import { Authority, type Closing, connectProxy, OPEN, USE } from '../real/tls-rig.ts';
import {
  enrolJob,
  folders,
  MACHINE,
  openDesk,
  renewJob,
  SECRET,
  TOKEN_ID,
  tokenFor,
  trustOf,
  welcome,
} from './identity-agent-rig.ts';
import { need } from './outbox-rig.ts';

let fleet: Authority;
let other: Authority;
const disk = folders();
const opened: Closing[] = [];

beforeAll(async () => {
  fleet = await Authority.make('ours');
  other = await Authority.make('ours');
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  disk.remove();
});

async function desk(authority = fleet, pair = authority.broker()) {
  const one = await openDesk(authority, await pair);
  opened.push(one);
  return one;
}
const loaded = (folder: string) => {
  const identity = need(loadIdentity(folder, 'lane-1'));
  if (identity === undefined) throw new Error('there is no identity');
  return identity;
};

describe('enrolling', () => {
  test('a token becomes key, certificate and trust, readable by nobody else', async () => {
    const at = await desk();
    const folder = disk.make();
    const done = await runJob(enrolJob(folder, tokenFor(fleet, [at.url])), realTimers);
    expect(done).toMatchObject({ ok: true, store: 'store-1', url: at.url });
    const { record, certificate } = loaded(folder);
    expect(record).toMatchObject({ token: TOKEN_ID, store: 'store-1', how: 'enrolled' });
    expect(new X509Certificate(certificate).subject).toBe('CN=lane-1');
    expect(at.asked).toHaveLength(1);
    expect(at.asked[0]).toMatchObject({
      path: ENROL_PATH,
      body: { token: { id: TOKEN_ID, secret: SECRET }, terminal: 'lane-1', machine: MACHINE },
    });
    expect(readdirSync(folder).toSorted()).toEqual(['certificate.pem', 'identity.json', 'key.pem']);
    for (const name of readdirSync(folder)) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test('nobody but the authority that the token names gets a byte of it', async () => {
    const wrong = [
      await desk(other),
      // Its own certificate from elsewhere, the right authority's shown behind it.
      await desk(fleet, other.broker()),
      await desk(fleet, fleet.issue({ commonName: 'x', use: [USE.client], names: ['127.0.0.1'] })),
      await desk(fleet, fleet.broker(['elsewhere.example.com'])),
    ];
    for (const one of wrong) {
      const folder = disk.make();
      const done = await runJob(enrolJob(folder, tokenFor(fleet, [one.url])), realTimers);
      expect(done).toMatchObject({ ok: false, final: false });
      expect(done.ok ? '' : done.reason).toMatch(/^the broker's certificate is refused: /);
      expect(one.heard()).toBe(0);
      expect(need(loadIdentity(folder, 'lane-1'))).toBeUndefined();
    }
  });

  test('addresses are tried in turn, and the first that is believed decides', async () => {
    const [bad, good] = [await desk(other), await desk()];
    const token = tokenFor(fleet, ['https://127.0.0.1:1', bad.url, good.url]);
    const done = await runJob(enrolJob(disk.make(), token), realTimers);
    expect(done).toMatchObject({ ok: true, url: good.url });
  });

  test('it goes through a proxy', async () => {
    const at = await desk();
    const proxy = await connectProxy(() => OPEN);
    opened.push(proxy);
    const job = { ...enrolJob(disk.make(), tokenFor(fleet, [at.url])) };
    const via = { ...job, proxy: `http://till:pass@127.0.0.1:${proxy.port}` };
    expect(await runJob(via, realTimers)).toMatchObject({ ok: true });
    expect(proxy.requests).toHaveLength(1);
    expect(proxy.requests[0]).toMatch(/^CONNECT 127\.0\.0\.1:\d+ HTTP\/1\.1\r\n/);
    expect(proxy.requests[0]).not.toContain(SECRET);
  });

  test('an answer that was lost is asked for again with the same key and request', async () => {
    const at = await desk();
    const { answer } = at;
    at.answer = () => Promise.resolve({ status: 503, body: { error: 'too many at once' } });
    const folder = disk.make();
    const job = enrolJob(folder, tokenFor(fleet, [at.url]));
    const first = await runJob(job, realTimers);
    expect(first).toEqual({ ok: false, reason: 'too many at once', final: false });
    at.answer = answer;
    expect(await runJob(job, realTimers)).toMatchObject({ ok: true });
    const [one, two] = at.asked.map(({ body }) => body.csr);
    expect(one).toBe(two);
    expect(readdirSync(folder)).not.toContain('request.json');
  });

  test('what the broker itself refuses is final, and its sentence is told', async () => {
    const at = await desk();
    at.answer = () => Promise.resolve({ status: 403, body: { error: 'this token was used' } });
    const done = await runJob(enrolJob(disk.make(), tokenFor(fleet, [at.url])), realTimers);
    expect(done).toEqual({ ok: false, reason: 'this token was used', final: true });
  });

  test.each([
    [
      'for another terminal',
      async (csr: string, url: string) => welcome(fleet, csr, trustOf(fleet), url, 'lane-2'),
    ],
    [
      'with a trust that lacks the authority of the token',
      async (csr: string, url: string) => ({
        ...(await welcome(other, csr, trustOf(other), url)),
      }),
    ],
    [
      'of an authority that does not come with it',
      async (csr: string, url: string) => welcome(other, csr, trustOf(fleet), url),
    ],
    [
      'for another key',
      async (csr: string, url: string) => ({
        ...(await welcome(fleet, csr, trustOf(fleet), url)),
        certificate: (await fleet.terminal('lane-1')).certificate,
      }),
    ],
    ['that is no answer', async () => ({ hello: 'there' })],
  ])('a certificate %s is not accepted', async (_what, make) => {
    const at = await desk();
    at.answer = async ({ body }) => ({ status: 200, body: await make(body.csr, at.url) });
    const folder = disk.make();
    const done = await runJob(enrolJob(folder, tokenFor(fleet, [at.url])), realTimers);
    expect(done.ok).toBe(false);
    expect(need(loadIdentity(folder, 'lane-1'))).toBeUndefined();
  });

  test("another terminal's token asks nobody", async () => {
    const at = await desk();
    const token = tokenFor(fleet, [at.url], 'lane-2');
    const done = await runJob(enrolJob(disk.make(), token), realTimers);
    expect(done).toMatchObject({ ok: false, final: true });
    expect(at.heard()).toBe(0);
  });
});

describe('renewing', () => {
  async function enrolled() {
    const at = await desk();
    const folder = disk.make();
    expect(await runJob(enrolJob(folder, tokenFor(fleet, [at.url])), realTimers)).toMatchObject({
      ok: true,
    });
    return { at, folder, before: loaded(folder) };
  }

  test('proves itself with the old key, gets a new one, and trusts whom it trusted', async () => {
    const { at, folder, before } = await enrolled();
    at.answer = async ({ body }) => ({
      status: 200,
      body: await welcome(fleet, body.csr, trustOf(fleet, 99), at.url),
    });
    expect(await runJob(renewJob(folder), realTimers)).toMatchObject({ ok: true });
    // Until the agent takes it over the old one holds.
    expect(loaded(folder).certificate).toBe(before.certificate);
    const asked = at.asked[1];
    expect(asked?.path).toBe(RENEW_PATH);
    const { csr = '', signature = '', certificate = '' } = asked?.body ?? {};
    const key = new X509Certificate(certificate).publicKey;
    expect(verify('sha256', Buffer.from(csr), key, Buffer.from(signature, 'base64'))).toBe(true);
    expect(need(takeOver(folder))).toBe('renewed');
    const after = loaded(folder);
    expect(after.serial).not.toBe(before.serial);
    expect(after.key).not.toBe(before.key);
    expect(after.record.trust).toEqual(before.record.trust);
    expect(after.record.token).toBe(TOKEN_ID);
    expect(readdirSync(folder).toSorted()).toEqual([
      'certificate-2.pem',
      'identity.json',
      'key-2.pem',
    ]);
  });

  test('is asked of a broker that is pinned, and of no other', async () => {
    const { at, folder } = await enrolled();
    await at.close();
    const text = readFileSync(join(folder, 'identity.json'), 'utf8');
    const false_ = await desk(other);
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(folder, 'identity.json'), text.replaceAll(at.url, false_.url));
    const done = await runJob(renewJob(folder), realTimers);
    expect(done.ok ? '' : done.reason).toMatch(/not issued by this fleet's authority/);
    expect(false_.heard()).toBe(0);
  });
});
