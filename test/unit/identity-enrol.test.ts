import { describe, expect, it } from 'vitest';
import { parseToken } from '../../protocol/enrolment.ts';
import { must } from './fleet-rig.ts';
import {
  ACT,
  admits,
  enrolled,
  granted,
  keyPair,
  open,
  renewalOf,
  renewed,
  requestOf,
  token,
} from './identity-rig.ts';

const HOUR_MS = 3_600_000;

describe('an enrolment token', () => {
  it('becomes one certificate, and the terminal is in the fleet and let in', async () => {
    const opened = open();
    const made = token(opened, 'lane-7', 'munich');
    const { csr } = keyPair();
    const answer = granted(await opened.identities.enrol(requestOf(made, csr), '10.0.0.1'));
    expect(answer).toMatchObject({ terminal: 'lane-7', store: 'munich', trust: { version: 1 } });
    const client = must(opened.trust.readClient(answer.certificate));
    expect(opened.identities.admit(client, opened.time.clock.wallMs())).toEqual({ ok: true });
    expect(opened.back.fleet.view('lane-7')).toMatchObject({ store: 'munich' });
    expect(opened.identities.stateOf('lane-7')).toBe('enrolled');
    expect(opened.audited()).toEqual(['terminal.enrol ok', 'terminal.enrol.token ok']);
  });

  it('keeps its secret out of the file and out of the audit log', () => {
    const opened = open();
    const made = token(opened);
    const { secret } = must(parseToken(made.token));
    const { db } = opened.back.fleet.database;
    const all = JSON.stringify([
      ...db.prepare('SELECT * FROM tokens').all(),
      ...db.prepare('SELECT * FROM audit').all(),
    ]);
    expect(all).toContain(made.id);
    expect(all).not.toContain(secret);
  });

  it('serves once: another request with it is refused, in the words of every other refusal', async () => {
    const opened = open();
    const made = token(opened);
    await opened.identities.enrol(requestOf(made, keyPair().csr), '10.0.0.1');
    const again = await opened.identities.enrol(requestOf(made, keyPair().csr), '10.0.0.2');
    const other = token(opened, 'lane-2');
    const request = requestOf(other, keyPair().csr);
    const wrong = { ...request.token, secret: 'A'.repeat(43) };
    const guessed = await opened.identities.enrol({ ...request, token: wrong }, '10.0.0.2');
    const nowhere = { ...request.token, id: '0'.repeat(16) };
    const unknown = await opened.identities.enrol({ ...request, token: nowhere }, '10.0.0.2');
    const elsewhere = await opened.identities.enrol({ ...request, terminal: 'lane-1' }, '10.0.0.2');
    for (const answer of [again, guessed, unknown, elsewhere]) {
      expect(answer).toEqual({ status: 403, body: again.body });
    }
    expect(opened.counted).toEqual(['enrolled', 'refused', 'refused', 'refused', 'refused']);
    const entries = opened.audit().list(10);
    const causes = entries.flatMap(({ detail }) => detail['cause'] ?? []);
    expect(causes).toEqual([
      ...['token of lane-2', 'unknown token', 'wrong secret', 'token used already'],
    ]);
  });

  it('gives the same certificate again to the very same request, while it is good', async () => {
    const opened = open();
    const request = requestOf(token(opened), keyPair().csr);
    const first = granted(await opened.identities.enrol(request, '10.0.0.1'));
    opened.time.pass(59 * 60_000);
    const second = granted(await opened.identities.enrol(request, '10.0.0.1'));
    expect(second.certificate).toBe(first.certificate);
    opened.time.pass(60_000);
    expect((await opened.identities.enrol(request, '10.0.0.1')).status).toBe(403);
  });

  it('gives one certificate to two requests at the same moment', async () => {
    const opened = open();
    const made = token(opened);
    const { csr } = keyPair();
    const same = requestOf(made, csr);
    const other = requestOf(made, keyPair().csr);
    const answers = await Promise.all([
      opened.identities.enrol(same, '10.0.0.1'),
      opened.identities.enrol(same, '10.0.0.1'),
      opened.identities.enrol(other, '10.0.0.2'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 403]);
    const [first, second] = answers.map(({ body }) => body.ok && body.value);
    expect(first).toEqual(second);
    expect(opened.audited().filter((line) => line === 'terminal.enrol ok')).toHaveLength(1);
  });

  it('is over after its minutes, and when a newer one was made', async () => {
    const opened = open();
    const first = requestOf(token(opened), keyPair().csr);
    const second = requestOf(token(opened), keyPair().csr);
    expect((await opened.identities.enrol(first, '10.0.0.1')).status).toBe(403);
    opened.time.pass(60 * 60_000);
    expect((await opened.identities.enrol(second, '10.0.0.1')).status).toBe(403);
  });

  it('is over when its terminal is revoked while it is used', async () => {
    const opened = open();
    let go = (): void => {};
    opened.state.holdMs = new Promise((resolve) => {
      go = resolve;
    });
    const asked = opened.identities.enrol(requestOf(token(opened), keyPair().csr), '10.0.0.1');
    expect(opened.identities.revoke('lane-1', ACT)).toEqual({ ok: true });
    go();
    expect((await asked).status).toBe(403);
    expect(opened.identities.stateOf('lane-1')).toBe('revoked');
  });

  it('is not used up by a request that cannot be signed', async () => {
    const opened = open();
    const made = token(opened);
    const bad = await opened.identities.enrol(requestOf(made, 'bad'), '10.0.0.1');
    expect(bad).toMatchObject({ status: 400, body: { reason: expect.stringContaining('P-256') } });
    const good = await opened.identities.enrol(requestOf(made, keyPair().csr), '10.0.0.1');
    expect(good.status).toBe(200);
  });

  it('is not made for a terminal that is enrolled, unless again is said', async () => {
    const opened = open();
    const before = await enrolled(opened);
    const wish = { terminal: 'lane-1', store: 'berlin' };
    const refused = opened.identities.makeToken(wish, ACT);
    expect(refused).toMatchObject({ ok: false, kind: 'conflict' });
    const made = opened.identities.makeToken({ ...wish, again: true }, ACT);
    if (!made.ok) throw new Error(made.reason);
    expect(admits(opened, before)).toEqual({ ok: true });
    await opened.identities.enrol(requestOf(made, keyPair().csr), '10.0.0.1');
    expect(admits(opened, before)).toMatchObject({ ok: false, reason: 'revoked' });
    expect(opened.cut).toEqual(['lane-1: lane-1 was enrolled anew']);
  });
});

describe('tokens for a list', () => {
  it('are made all or none, with all problems at once', () => {
    const opened = open();
    const wishes = [
      { terminal: 'lane-1', store: 'berlin' },
      { terminal: 'lane-2', store: 'munich' },
      { terminal: 'Lane 3', store: 'berlin' },
      { terminal: 'lane-1', store: 'berlin' },
    ];
    const refused = opened.identities.makeTokens(wishes, ACT);
    expect(refused).toMatchObject({ ok: false, kind: 'invalid' });
    expect(refused.ok ? [] : refused.reason.split('\n')).toEqual([
      'lane-2 stands in berlin: move it first (tillwatch terminal move)',
      '"Lane 3" is no id of a terminal',
      'lane-1 stands there twice',
    ]);
    expect(opened.audited()).toEqual([]);
    const made = opened.identities.makeTokens(wishes.slice(0, 1), ACT);
    expect(made.ok && made.tokens.map(({ terminal }) => terminal)).toEqual(['lane-1']);
  });
});

describe('whoever fails often', () => {
  it('waits, by address and by token, and can go on a minute later', async () => {
    const opened = open();
    const made = token(opened);
    const request = requestOf(made, keyPair().csr);
    const wrong = { ...request, token: { ...request.token, secret: 'A'.repeat(43) } };
    for (let time = 0; time < 5; time += 1) await opened.identities.enrol(wrong, `10.0.0.${time}`);
    expect((await opened.identities.enrol(request, '10.0.1.1')).status).toBe(429);
    for (let time = 0; time < 20; time += 1) await opened.identities.enrol({}, '10.0.2.1');
    expect((await opened.identities.enrol({}, '10.0.2.1')).status).toBe(429);
    expect((await opened.identities.enrol({}, '10.0.2.2')).status).toBe(400);
    opened.time.pass(60_000);
    expect((await opened.identities.enrol(request, '10.0.2.1')).status).toBe(200);
  });

  it('is one address with a whole network of IPv6 addresses', async () => {
    const opened = open();
    const from = async (address: string) => (await opened.identities.enrol({}, address)).status;
    for (let time = 0; time < 20; time += 1) await from(`2001:db8:0:1::${time}`);
    expect([await from('2001:db8:0:1::ff'), await from('2001:db8:0:2::1')]).toEqual([429, 400]);
  });
});

describe('a renewal', () => {
  it('gives a newer certificate; the older one is good until the newer was shown', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const second = await renewed(opened, first);
    expect(second.client.serial).not.toBe(first.client.serial);
    expect(admits(opened, first)).toEqual({ ok: true });
    expect(admits(opened, second)).toEqual({ ok: true });
    expect(admits(opened, first)).toMatchObject({ ok: false, reason: 'revoked' });
    expect(opened.identities.viewOf('lane-1')?.twin).toMatchObject({ sign: 'certificate' });
    opened.restart();
    expect(admits(opened, first)).toMatchObject({ ok: false, reason: 'revoked' });
    expect(admits(opened, second)).toEqual({ ok: true });
  });

  it('whose answer was lost can be asked for again with the older certificate', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const lost = await renewed(opened, first);
    const second = await renewed(opened, first);
    expect(admits(opened, second)).toEqual({ ok: true });
    expect(admits(opened, lost)).toMatchObject({ ok: false, reason: 'revoked' });
  });

  it('works after the end within the grace, where nothing else does, and not after the grace', async () => {
    const settings = { certificateDays: 2 / 24, graceDays: 1 / 24, tokenMinutes: 60 };
    const opened = open({ settings });
    const first = await enrolled(opened);
    opened.time.pass(2.5 * HOUR_MS);
    expect(admits(opened, first)).toMatchObject({ ok: false, reason: 'certificate' });
    const second = await renewed(opened, first);
    expect(admits(opened, second)).toEqual({ ok: true });
    opened.time.pass(3 * HOUR_MS + 1);
    const late = await opened.identities.renew(renewalOf(second).request, '10.0.0.1');
    expect(late).toMatchObject({
      status: 403,
      body: { reason: expect.stringContaining('longer ago than its grace') },
    });
  });

  it('needs the key of the older certificate, over this very request', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const other = await enrolled(opened, 'lane-2');
    const { request } = renewalOf(first);
    const foreign = { ...request, signature: renewalOf(other).request.signature };
    const altered = { ...request, csr: keyPair().csr };
    const invented = { ...request, certificate: 'not one of ours' };
    for (const wrong of [foreign, altered, invented]) {
      const answer = await opened.identities.renew(wrong, '10.0.0.1');
      expect(answer).toMatchObject({
        status: 403,
        body: { reason: expect.stringContaining('is not good here') },
      });
    }
    expect((await opened.identities.renew(request, '10.0.0.1')).status).toBe(200);
  });

  it('is not for who was revoked, retired or replaced, nor with a certificate that was renewed', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const second = await renewed(opened, first);
    admits(opened, second);
    expect((await opened.identities.renew(renewalOf(first).request, '10.0.0.1')).status).toBe(403);
    for (const end of ['revoke', 'retire', 'replace'] as const) {
      const one = await enrolled(opened, `till-${end}`);
      expect(opened.identities[end](`till-${end}`, ACT).ok).toBe(true);
      const answer = await opened.identities.renew(renewalOf(one).request, '10.0.0.1');
      expect(answer.status).toBe(403);
      expect(admits(opened, one)).toMatchObject({ ok: false, reason: 'revoked' });
    }
  });

  it('waits for a person when it is asked for by another machine', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const { request } = renewalOf(first, 'b'.repeat(16));
    const answer = await opened.identities.renew(request, '10.0.0.1');
    expect(answer).toMatchObject({
      status: 403,
      body: { reason: expect.stringContaining('another machine') },
    });
    expect(opened.identities.viewOf('lane-1')?.twin).toMatchObject({ sign: 'machine' });
    expect(admits(opened, first)).toEqual({ ok: true });
  });

  it('is bounded for one terminal', async () => {
    const opened = open();
    let last = await enrolled(opened);
    for (let time = 0; time < 12; time += 1) last = await renewed(opened, last);
    expect((await opened.identities.renew(renewalOf(last).request, '10.0.0.1')).status).toBe(429);
    opened.time.pass(3_600_000);
    expect((await opened.identities.renew(renewalOf(last).request, '10.0.0.1')).status).toBe(200);
  });
});
