import { describe, expect, it } from 'vitest';
import { IDLE_MS_MAX, SESSION_MS_MAX, SESSIONS_EACH_MAX } from '../../broker/operators/sessions.ts';
import { byToken } from '../../broker/operators/sign-in.ts';
import { parseOperatorToken } from '../../protocol/operators.ts';
import { HERE, operatorRig } from './operators-rig.ts';

const HOUR_MS = 3_600_000;
const wrong = 'A'.repeat(43);

describe('signing in', () => {
  it('with a token gives a session, which says who and with which role', async () => {
    const { add, enter, whose, audit, metrics } = operatorRig();
    const session = await enter(await add('kim.meyer', 'oncall'));
    expect(session.token).toMatch(/^tws1\.[A-Za-z0-9_-]{43}$/);
    expect(whose(session.token)).toEqual({
      ...{ name: 'kim.meyer', role: 'oncall', session: session.id },
    });
    expect(audit().list(1)).toMatchObject([
      { operator: 'kim.meyer', action: 'operator.sign_in', detail: { session: session.id } },
    ]);
    expect(JSON.stringify(audit().list(10))).not.toContain(session.token);
    expect(await metrics.registry.metrics()).toContain('sign_ins_total{result="ok"} 1');
  });

  it('says the same to a wrong secret, a name that nobody has and somebody disabled', async () => {
    const { add, get, audit } = operatorRig();
    const kim = await add('kim', 'admin');
    const lee = await add('lee', 'viewer');
    get().change('lee', { enabled: false }, { name: 'kim', address: HERE });
    const answers = [
      await get().signIn('kim', wrong, HERE),
      await get().signIn('nobody-of-us', kim.secret, HERE),
      await get().signIn('lee', lee.secret, HERE),
      await get().signIn('lee', wrong, HERE),
    ];
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ ok: false, kind: 'wrong' });
    expect(
      audit()
        .list(4)
        .map(({ operator, outcome }) => `${operator} ${outcome}`),
    ).toEqual(Array(4).fill('unknown refused: wrong'));
  });

  it('is judged by who it is after the look: a new token or a disabling comes in between', async () => {
    const row = { name: 'kim', role: 'admin', enabled: true, secret: 'old' } as const;
    const made = { createdMs: 0, createdBy: '', changedMs: 0, signedInMs: undefined };
    const judge = async (after: object) => {
      let now: object = row;
      const find = () => ({ ...made, ...row, ...now });
      const fits = () => {
        now = after;
        return Promise.resolve(true);
      };
      return await byToken({ find }, { fits })('kim', 'secret', HERE);
    };
    expect([
      await judge({}),
      await judge({ secret: 'new' }),
      await judge({ enabled: false }),
    ]).toEqual([true, false, false]);
  });

  it('leaves no secret on disk', async () => {
    const { add, enter, database } = operatorRig();
    const kim = await add('kim', 'admin');
    const { token } = await enter(kim);
    const { db } = database();
    const text = ['operators', 'sessions', 'audit']
      .map((table) => JSON.stringify(db.prepare(`SELECT * FROM ${table}`).all()))
      .join();
    expect(text).toContain('$scrypt$ln=4,r=1,p=1$');
    expect(text).not.toContain(kim.secret);
    expect(text).not.toContain(token.slice(5));
  });

  it('is possible with a token that a program shows each time, once for all of them', async () => {
    const { add, whose, get, metrics } = operatorRig();
    const job = await add('prometheus', 'viewer');
    const both = await Promise.all([whose(job.token), whose(job.token)]);
    expect(both).toMatchObject([{ name: 'prometheus' }, { name: 'prometheus' }]);
    expect(whose(job.token)).toMatchObject({ name: 'prometheus', role: 'viewer' });
    expect(get().sessions()).toBe(1);
    expect(await metrics.registry.metrics()).toContain('sign_ins_total{result="ok"} 1');
    await get().newToken('prometheus', { name: 'kim', address: HERE });
    expect(await whose(job.token)).toBeUndefined();
  });
});

describe('a session', () => {
  it('ends after twelve hours, however much it is used', async () => {
    const { add, enter, whose, time } = operatorRig();
    const { token } = await enter(await add('kim', 'admin'));
    for (let hour = 0; hour < 11; hour += 1) {
      time.pass(HOUR_MS);
      expect(whose(token)).toMatchObject({ name: 'kim' });
    }
    time.pass(SESSION_MS_MAX - 11 * HOUR_MS);
    expect(whose(token)).toBeUndefined();
  });

  it('ends after two hours without use', async () => {
    const { add, enter, whose, time, get } = operatorRig();
    const { token } = await enter(await add('kim', 'admin'));
    time.pass(IDLE_MS_MAX - 1);
    expect(whose(token)).toMatchObject({ name: 'kim' });
    time.pass(IDLE_MS_MAX);
    expect(whose(token)).toBeUndefined();
    expect(get().sessions()).toBe(0);
  });

  it('outlives a restart, but not its end: signed out, it is gone for ever', async () => {
    const { add, enter, whose, reopen, get } = operatorRig();
    const kim = await add('kim', 'admin');
    const [one, two] = [await enter(kim), await enter(kim)];
    const actor = await whose(one.token);
    if (actor === undefined || 'status' in actor) throw new Error('nobody');
    get().signOut(actor, HERE);
    expect(whose(one.token)).toBeUndefined();
    reopen();
    expect(whose(one.token)).toBeUndefined();
    expect(whose(two.token)).toMatchObject({ name: 'kim' });
  });

  it.each(['disabled', 'given a new token'])('ends when its operator is %s', async (how) => {
    const { add, enter, whose, get, reopen } = operatorRig();
    const by = { name: 'ada', address: HERE };
    await add('ada', 'admin');
    const { token, id } = await enter(await add('kim', 'oncall'));
    let told = 0;
    get().onSessionEnd(id, () => {
      told += 1;
    });
    if (how === 'disabled') get().change('kim', { enabled: false }, by);
    else await get().newToken('kim', by);
    expect([whose(token), told]).toEqual([undefined, 1]);
    reopen();
    get().change('kim', { enabled: true }, by);
    expect(whose(token)).toBeUndefined();
  });

  it('has the role that its operator has now', async () => {
    const { add, enter, whose, get } = operatorRig();
    await add('ada', 'admin');
    const { token } = await enter(await add('kim', 'admin'));
    get().change('kim', { role: 'viewer' }, { name: 'ada', address: HERE });
    expect(whose(token)).toMatchObject({ role: 'viewer' });
  });

  it('is one of few: the oldest ends when an operator opens too many', async () => {
    const { add, enter, whose, get, time } = operatorRig();
    const kim = await add('kim', 'admin');
    const tokens: string[] = [];
    for (let i = 0; i <= SESSIONS_EACH_MAX; i += 1) {
      tokens.push((await enter(kim)).token);
      time.pass(1);
    }
    expect(get().sessions()).toBe(SESSIONS_EACH_MAX);
    expect([whose(tokens[0] ?? ''), whose(tokens[1] ?? '')]).toMatchObject([
      undefined,
      { name: 'kim' },
    ]);
  });

  it('that began in the future, by a clock that was set back, is over', async () => {
    const { add, enter, whose, database, reopen } = operatorRig();
    const { token } = await enter(await add('kim', 'admin'));
    const { db } = database();
    db.exec('UPDATE sessions SET created_ms = created_ms + 3600000, used_ms = used_ms + 3600000');
    reopen();
    expect(whose(token)).toBeUndefined();
  });

  it('does not last longer because the clock is set back again and again', async () => {
    const { add, enter, whose, time, setBack } = operatorRig();
    const { token } = await enter(await add('kim', 'admin'));
    for (let hours = 0; hours < 11; hours += 1) {
      time.pass(HOUR_MS);
      setBack(HOUR_MS);
      expect(whose(token)).toMatchObject({ name: 'kim' });
    }
    time.pass(HOUR_MS);
    expect(whose(token)).toBeUndefined();
  });

  it('ends without use, and after a restart, though the clock was set back meanwhile', async () => {
    const { add, enter, whose, get, time, setBack, reopen } = operatorRig();
    const kim = await add('kim', 'admin');
    const unused = await enter(kim);
    time.pass(2 * HOUR_MS - 1_000);
    setBack(2 * HOUR_MS - 1_000);
    const used = await enter(kim);
    time.pass(1_000);
    expect(whose(unused.token)).toBeUndefined();
    time.pass(HOUR_MS);
    reopen();
    setBack(HOUR_MS);
    time.pass(HOUR_MS - 1_000);
    expect(get().sessions()).toBe(1);
    time.pass(16_000);
    expect([get().sessions(), whose(used.token)]).toEqual([0, undefined]);
  });

  it('that ended while the disk refused to be written does not come back either', async () => {
    const { add, enter, whose, database, get, time, reopen } = operatorRig();
    const { token } = await enter(await add('kim', 'admin'));
    const actor = await whose(token);
    if (actor === undefined || 'status' in actor) throw new Error('nobody');
    const { db } = database();
    db.exec('PRAGMA query_only = ON');
    get().signOut(actor, HERE);
    expect(whose(token)).toBeUndefined();
    db.exec('PRAGMA query_only = OFF');
    time.pass(60_000);
    reopen();
    expect(whose(token)).toBeUndefined();
  });

  it.each(['', 'tws1.', `tws1.${wrong}`, 'tws1.x', `two1.kim.${wrong}`, 'two1..x', '\u0000'])(
    'is not what looks like %j',
    async (text) => {
      const { add, whose } = operatorRig();
      await add('kim', 'admin');
      expect(await whose(text)).toBeUndefined();
    },
  );

  it('and its token are told apart by how they begin', async () => {
    const { add } = operatorRig();
    const { token, name } = await add('kim@shop.example', 'viewer');
    expect(parseOperatorToken(token)?.name).toBe(name);
  });
});
