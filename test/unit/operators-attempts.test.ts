import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressKey } from '../../broker/addresses.ts';
import {
  ADDRESS_RULE,
  NAME_RULE,
  NO_ATTEMPTS,
  pauseMs,
  REMEMBERED_MAX,
  step,
} from '../../broker/operators/attempts.ts';
import { createSecrets, FROM_ONE_ADDRESS_MAX, keepNow } from '../../broker/operators/secrets.ts';
import { BY, CHEAP, HERE, operatorRig } from './operators-rig.ts';

const wrong = 'A'.repeat(43);

describe('the pause after failures', () => {
  it('begins after a few, grows, and is bounded', () => {
    const attempts = NO_ATTEMPTS();
    const who = { name: 'kim', address: HERE };
    const pauses: number[] = [];
    for (let i = 0; i < 14; i += 1) {
      step(attempts, { kind: 'began', ...who }, 0);
      pauses.push(pauseMs(attempts, { ...who, address: '192.0.2.9' }, 0));
    }
    expect(pauses).toEqual([
      ...[0, 0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000],
      ...[30_000, 30_000, 30_000, 30_000],
    ]);
    for (let i = 0; i < 40; i += 1) step(attempts, { kind: 'began', ...who }, 0);
    expect(pauseMs(attempts, { ...who, name: 'lee' }, 0)).toBe(ADDRESS_RULE.maxMs);
    expect(pauseMs(attempts, { name: 'lee', address: '192.0.2.9' }, 0)).toBe(0);
  });

  it('is forgiven with time, and a name at once when its token comes', () => {
    const attempts = NO_ATTEMPTS();
    const who = { name: 'kim', address: HERE };
    for (let i = 0; i < 8; i += 1) step(attempts, { kind: 'began', ...who }, 0);
    expect(pauseMs(attempts, who, 0)).toBe(4_000);
    expect(pauseMs(attempts, who, 4_000)).toBe(0);
    step(attempts, { kind: 'began', ...who }, 3 * NAME_RULE.forgiveMs);
    expect(pauseMs(attempts, who, 3 * NAME_RULE.forgiveMs)).toBe(1_000);
    step(attempts, { kind: 'succeeded', ...who }, 3 * NAME_RULE.forgiveMs);
    expect(pauseMs(attempts, who, 3 * NAME_RULE.forgiveMs)).toBe(0);
  });

  it('never forgets more than it is told, and never grows without a bound', () => {
    const attempts = NO_ATTEMPTS();
    for (let i = 0; i < REMEMBERED_MAX + 500; i += 1) {
      step(
        attempts,
        { kind: 'began', name: `n${i}`, address: `2001:db8:0:${i.toString(16)}::1` },
        i,
      );
    }
    expect([attempts.names.size, attempts.addresses.size]).toEqual([
      REMEMBERED_MAX,
      REMEMBERED_MAX,
    ]);
    expect(attempts.names.has(`n${REMEMBERED_MAX + 499}`)).toBe(true);
  });

  it('counts never fall below none, in whatever order attempts end', () => {
    const kinds = fc.constantFrom('began', 'succeeded', 'undone');
    fc.assert(
      fc.property(fc.array(fc.tuple(kinds, fc.nat(90_000))), (events) => {
        const attempts = NO_ATTEMPTS();
        let now = 0;
        for (const [kind, ms] of events) {
          now += ms;
          step(attempts, { kind: kind as 'began', name: 'kim', address: HERE }, now);
          const pause = pauseMs(attempts, { name: 'kim', address: HERE }, now);
          if (pause < 0 || pause > ADDRESS_RULE.maxMs) return false;
        }
        return [...attempts.names.values()].every(({ failures }) => failures > 0);
      }),
    );
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:aaaa::1', '2001:db8:1:2'],
    ['2001:db8:1:2:bbbb:1:2:3', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ])('counts %s as %s', (address, key) => {
    expect([addressKey(address), addressKey(key)]).toEqual([key, key]);
  });
});

describe('signing in under attack', () => {
  it('10 000 wrong attempts cost few looks, bounded memory and few entries in the audit log', async () => {
    const { add, get, audit, enter, time, metrics } = operatorRig();
    const kim = await add('kim', 'admin');
    for (let i = 0; i < 10_000; i += 1) {
      await get().signIn(`somebody-${i}`, wrong, '198.51.100.7');
    }
    const text = await metrics.registry.metrics();
    const count = (result: string) =>
      Number(new RegExp(`sign_ins_total{result="${result}"} (\\d+)`).exec(text)?.[1] ?? 0);
    expect(count('wrong') + count('paused')).toBe(10_000);
    expect(count('wrong')).toBeLessThanOrEqual(ADDRESS_RULE.free + 1);
    expect(audit().list(1_000).length).toBeLessThan(80);
    // Who is elsewhere does not notice, and who is there waits.
    await enter(kim);
    const there = await get().signIn('kim', kim.secret, '198.51.100.7');
    expect(there).toMatchObject({ ok: false, kind: 'paused' });
    time.pass(ADDRESS_RULE.maxMs);
    await enter(kim, '198.51.100.7');
  });

  it('a name that nobody has is paused like one that somebody has', async () => {
    const { add, get } = operatorRig();
    await add('kim', 'admin');
    const failed = async (name: string) => {
      const kinds: string[] = [];
      for (let i = 0; i < 8; i += 1) {
        const answer = await get().signIn(name, wrong, `192.0.2.${i}`);
        kinds.push(answer.ok ? 'ok' : `${answer.kind} ${answer.reason}`);
      }
      return kinds;
    };
    expect(await failed('kim')).toEqual(await failed('lee'));
  });

  it('many at once from one address are few looks, and do not count as failures', async () => {
    const { add, get, enter } = operatorRig();
    const kim = await add('kim', 'admin');
    const many = Array.from({ length: 12 }, () => get().signIn('kim', kim.secret, HERE));
    const kinds = (await Promise.all(many)).map((answer) => (answer.ok ? 'ok' : answer.kind));
    expect(kinds.filter((kind) => kind === 'ok').length).toBeGreaterThanOrEqual(1);
    expect(kinds.filter((kind) => kind === 'wrong')).toEqual([]);
    await enter(kim, '192.0.2.77');
  });

  it('a name with line ends or headers in it is nobody, and stands nowhere', async () => {
    const { get, audit } = operatorRig();
    for (const name of ['kim\r\nset-cookie: x', 'kim\u0000', '../../etc', 'broker', 'api-token']) {
      expect(await get().signIn(name, wrong, HERE)).toMatchObject({ ok: false, kind: 'wrong' });
    }
    expect(
      new Set(
        audit()
          .list(10)
          .map(({ subject }) => subject),
      ),
    ).toEqual(new Set(['unknown']));
  });
});

describe('secrets at rest', () => {
  it('fit only themselves, also with parameters of an older release', async () => {
    const secrets = createSecrets(CHEAP);
    const older = keepNow('secret', { ln: 3, r: 1, p: 2 });
    expect(older).toMatch(/^\$scrypt\$ln=3,r=1,p=2\$/);
    expect(await secrets.fits('secret', older, HERE)).toBe(true);
    expect(await secrets.fits('Secret', older, HERE)).toBe(false);
    const kept = await secrets.keep('secret', BY);
    expect(kept).not.toBe(await secrets.keep('secret', BY));
    expect(await secrets.fits('secret', kept, HERE)).toBe(true);
  });

  it.each([undefined, '', 'plain', '$scrypt$ln=30,r=8,p=1$$', '$scrypt$ln=0,r=0,p=0$x$y'])(
    'fit nothing where %j stands',
    async (kept) => {
      expect(await createSecrets(CHEAP).fits('', kept, HERE)).toBe(false);
    },
  );

  it('are looked at few at once: the loop turns meanwhile, and the rest is sent away', async () => {
    const secrets = createSecrets({ ln: 12, r: 8, p: 1 });
    const looks = Array.from({ length: 100 }, (_, i) =>
      secrets.fits('x', undefined, `192.0.2.${i % 50}`),
    );
    expect(secrets.busy()).toBeLessThanOrEqual(18);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    const done = await Promise.all(looks);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    expect(done.filter((look) => look === undefined)).toHaveLength(82);
    expect(secrets.busy()).toBe(0);
    const one = Array.from({ length: 9 }, () => secrets.fits('x', undefined, HERE));
    expect((await Promise.all(one)).filter((look) => look !== undefined)).toHaveLength(
      FROM_ONE_ADDRESS_MAX,
    );
    const net = Array.from({ length: 9 }, (_, i) => secrets.fits('x', undefined, `2001:db8::${i}`));
    expect((await Promise.all(net)).filter((look) => look !== undefined)).toHaveLength(
      FROM_ONE_ADDRESS_MAX,
    );
  });

  it('of a name that nobody has take the same work: the medians differ by less than half', async () => {
    const cost = { ln: 11, r: 8, p: 1 };
    const secrets = createSecrets(cost);
    const kept = keepNow('secret', cost);
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
    for (let i = 0; i < 40; i += 1) {
      for (const [who, stored] of [
        ['known', kept],
        ['unknown', undefined],
      ] as const) {
        const before = performance.now();
        await secrets.fits('wrong', stored, HERE);
        times[who].push(performance.now() - before);
      }
    }
    const median = (all: number[]) => all.sort((a, b) => a - b)[all.length >> 1] ?? 0;
    const [known, unknown] = [median(times.known), median(times.unknown)];
    expect(Math.abs(known - unknown)).toBeLessThan(Math.max(known, unknown) / 2);
  });
});
