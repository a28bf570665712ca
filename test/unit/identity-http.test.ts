import { describe, expect, it } from 'vitest';
import { ENROL_PATH, type Enrolled, RENEW_PATH } from '../../protocol/enrolment.ts';
import { open } from './http-rig.ts';
import { keyPair, renewalOf, requestOf } from './identity-rig.ts';

type Rig = Awaited<ReturnType<typeof open>>;
const reason = 'as planned';
const at = (word: string, terminal = 'lane-1') => `/api/v1/terminals/${terminal}/${word}`;
const detailOf = (answer: { json: () => { detail: string } }): string => answer.json().detail;

async function enrol({ post }: Rig, terminal = 'lane-1') {
  const made = (await post(at('token', terminal), { store: 'berlin', reason })).json();
  const { csr, privateKey } = keyPair();
  const answer = await post(ENROL_PATH, requestOf(made, csr), { authorization: '' });
  return { answer, privateKey };
}

describe('enrolment over HTTP', () => {
  it('takes a token from whoever has one, and nobody need sign in', async () => {
    const rig = await open();
    const { answer, privateKey } = await enrol(rig);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    const enrolled = answer.json<Enrolled>();
    expect(enrolled).toMatchObject({ terminal: 'lane-1', store: 'berlin', trust: { version: 1 } });
    const { certificate } = enrolled;
    const { request } = renewalOf({ certificate, privateKey });
    const renewed = await rig.post(RENEW_PATH, request, { authorization: '' });
    expect(renewed.statusCode).toBe(200);
    expect(renewed.json<Enrolled>().certificate).not.toBe(certificate);
    const { identity } = (await rig.get('/api/v1/terminals/lane-1')).json();
    expect(identity).toMatchObject({ state: 'enrolled', trust: 0 });
    expect(await rig.metrics.registry.metrics()).toContain(
      'tillwatch_enrolments_total{result="renewed"} 1',
    );
  });

  it('answers what cannot be good with a problem document, and says when to come back', async () => {
    const rig = await open();
    const nobody = { authorization: '' };
    for (const wrong of [{}, [], 'null', { token: 1 }, { ...keyPair(), terminal: '../x' }]) {
      const answer = await rig.post(ENROL_PATH, wrong, nobody);
      expect(answer.statusCode).toBe(400);
      expect(answer.headers['content-type']).toContain('application/problem+json');
    }
    const large = await rig.post(ENROL_PATH, { csr: 'x'.repeat(40_000) }, nobody);
    expect(large.statusCode).toBe(413);
    for (let time = 0; time < 20; time += 1) await rig.post(RENEW_PATH, {}, nobody);
    const over = await rig.post(RENEW_PATH, {}, nobody);
    expect([over.statusCode, over.headers['retry-after']]).toEqual([429, '60']);
  });
});

describe("a terminal's life over HTTP", () => {
  it('needs the role that each act says', async () => {
    const rig = await open();
    const status = async (role: 'viewer' | 'oncall', word: string, body = {}) =>
      (await rig.post(at(word), { reason, ...body }, rig.as(role))).statusCode;
    for (const word of ['token', 'replace', 'revoke', 'retire', 'move', 'accept-machine']) {
      expect([word, await status('oncall', word, { store: 'x' })]).toEqual([word, 403]);
    }
    expect((await rig.post('/api/v1/tokens', {}, rig.as('oncall'))).statusCode).toBe(403);
    for (const word of ['suspend', 'resume']) {
      expect(await status('viewer', word)).toBe(403);
      expect(await status('oncall', word)).toBe(200);
    }
  });

  it('says in the view and in the audit log who did it and why', async () => {
    const rig = await open();
    const suspended = await rig.post(at('suspend'), { reason }, rig.as('oncall'));
    expect(suspended.json()).toMatchObject({ terminal: 'lane-1', identity: { by: 'oncall' } });
    const view = (await rig.get('/api/v1/terminals/lane-1')).json();
    expect(view.identity).toMatchObject({ state: 'suspended', by: 'oncall', reason });
    expect(rig.audit.list(1)).toMatchObject([
      { action: 'terminal.suspend', operator: 'oncall', subject: 'lane-1', reason },
    ]);
  });

  it('refuses with a sentence what does not fit', async () => {
    const rig = await open();
    await enrol(rig);
    const wishes = [
      [at('suspend', 'lane-9'), { reason }, 404, 'there is no terminal "lane-9"'],
      [at('suspend'), {}, 422, 'a reason of 3 to 500'],
      [at('resume'), { reason }, 409, 'is not suspended'],
      [at('token'), { store: 'berlin', reason }, 409, 'is enrolled already'],
      [at('token', 'lane-2'), { store: 'munich', reason }, 409, 'stands in berlin'],
      [at('move'), { store: 'berlin', reason }, 409, 'stands in berlin already'],
    ] as const;
    for (const [url, body, status, words] of wishes) {
      const answer = await rig.post(url, body);
      expect([url, answer.statusCode]).toEqual([url, status]);
      expect(detailOf(answer)).toContain(words);
    }
  });

  it('retires: the list and the counts are without it, its page is not', async () => {
    const rig = await open();
    expect((await rig.post(at('retire'), { reason })).statusCode).toBe(200);
    const { terminals } = (await rig.get('/api/v1/terminals')).json();
    expect(terminals.map(({ id }: { id: string }) => id)).toEqual(['lane-2']);
    expect((await rig.get('/api/v1/fleet')).json().terminals.total).toBe(1);
    const view = (await rig.get('/api/v1/terminals/lane-1')).json();
    expect(view.identity).toMatchObject({ state: 'retired' });
    const events = await rig.get('/api/v1/events?terminal=lane-1');
    expect(events.statusCode).toBe(200);
  });

  it('makes tokens for a list, or none', async () => {
    const rig = await open();
    const row = (terminal: string) => ({ terminal, store: 'berlin' });
    const bad = await rig.post('/api/v1/tokens', {
      ...{ terminals: [row('lane-1'), row('Lane')], reason },
    });
    expect([bad.statusCode, detailOf(bad)]).toEqual([422, '"Lane" is no id of a terminal']);
    const good = await rig.post('/api/v1/tokens', {
      ...{ terminals: [row('lane-1'), row('lane-5')], reason, minutes: 5 },
    });
    expect(good.statusCode).toBe(201);
    expect(good.json().tokens).toMatchObject([{ terminal: 'lane-1' }, { terminal: 'lane-5' }]);
  });
});
