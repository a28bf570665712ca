// Kinds of errors at the centre: what the fleet is told to have, by version, store and terminal, and within which bounds.

import { describe, expect, it } from 'vitest';
import type { ErrorQuery } from '../../broker/errors/ask.ts';
import { type ErrorsOptions, openErrors } from '../../broker/errors/errors.ts';
import { NO_MEMBERS } from '../../broker/errors/members.ts';
import { HOUR_MS } from '../../broker/errors/room.ts';
import { KINDS_PER_TERMINAL_MAX, ROWS_PER_TERMINAL_MAX } from '../../broker/errors/share.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { signatureOf } from '../../protocol/signatures.ts';
import { happened, rig, START_MS } from './fleet-rig.ts';

const DAY_MS = 24 * HOUR_MS;
const TERMINALS = [
  { id: 'lane-1', store: 'berlin' },
  { id: 'lane-2', store: 'berlin' },
  { id: 'lane-9', store: 'bonn' },
];

function centre(more: Partial<ErrorsOptions> = {}) {
  // Nothing ticks while days pass; the ledger is drained by hand.
  const timers = { after: () => () => undefined, every: () => () => undefined };
  const back = rig({ terminals: TERMINALS, timers });
  const { fleet, time, terminals } = back;
  const options = { fleet, clock: time.clock, ageMsMax: 90 * DAY_MS, ...more };
  const errors = openErrors(options);
  type Fields = Extract<NewEvent, { kind: 'error_signature' }>['fields'];
  const told = (text: string, fields: Partial<Fields> = {}, component = 'sale') => {
    const level = fields.level ?? 'error';
    const { id: signature, pattern } = signatureOf(component, level, text);
    const all = {
      ...{ signature, pattern, level, version: '2.4.1', sample: text, count: 1, total: 1 },
      ...{ firstMs: time.clock.wallMs(), lastMs: time.clock.wallMs(), isNew: true, ...fields },
    } as const;
    return happened(all.lastMs, { kind: 'error_signature', component, fields: all });
  };
  const tell = (terminal: string, ...events: ReturnType<typeof told>[]): void => {
    terminals.events(terminal, ...events);
    fleet.drain();
  };
  const ask = (query: Partial<ErrorQuery> = {}) =>
    errors.ask({
      ...{ sinceMs: time.clock.wallMs() - DAY_MS, untilMs: time.clock.wallMs(), limit: 100 },
      ...query,
    });
  return { ...back, errors, told, tell, ask, options };
}

describe('the kinds of errors of a fleet', () => {
  it('add up terminals, stores and versions', () => {
    const { told, tell, ask } = centre();
    tell('lane-1', told('receipt 1 not printed', { count: 3 }));
    tell('lane-2', told('receipt 2 not printed', { count: 4, version: '2.5.0' }));
    tell('lane-9', told('receipt 3 not printed', { count: 5, version: '2.5.0' }));
    expect(ask()).toMatchObject({
      errors: [
        {
          ...{ component: 'sale', level: 'error', pattern: 'receipt * not printed', count: 12 },
          ...{ terminals: 3, stores: 2, sample: 'receipt 3 not printed', terminal: 'lane-9' },
          versions: [
            { version: '2.5.0', count: 9, terminals: 2 },
            { version: '2.4.1', count: 3, terminals: 1 },
          ],
          isNew: true,
        },
      ],
      overBound: 0,
      total: 1,
    });
  });

  it('count each event once, also one that is delivered again', () => {
    const { told, tell, ask, ledger, fleet } = centre();
    tell('lane-1', told('no paper', { count: 7 }));
    const [row] = ledger.rows;
    if (row !== undefined) ledger.add(row);
    fleet.drain();
    expect(ask().errors).toMatchObject([{ count: 7 }]);
  });

  it.each<[string, Partial<ErrorQuery>, [string, number, number][]]>([
    ['version', { version: '2.5.0' }, [['no paper', 2, 1]]],
    [
      'store',
      { store: 'berlin' },
      [
        ['no paper', 3, 2],
        ['slow', 1, 1],
      ],
    ],
    ['another store', { store: 'bonn' }, [['no paper', 10, 1]]],
    [
      'terminal',
      { terminal: 'lane-1' },
      [
        ['no paper', 1, 1],
        ['slow', 1, 1],
      ],
    ],
    ['component', { component: 'sync' }, [['slow', 1, 1]]],
    ['level', { level: 'warn' }, [['slow', 1, 1]]],
    ['nothing of it', { store: 'rome' }, []],
  ])('can be asked for by %s', (_, query, expected) => {
    const { told, tell, ask } = centre();
    tell('lane-1', told('no paper'), told('slow', { level: 'warn' }, 'sync'));
    tell('lane-2', told('no paper', { version: '2.5.0', count: 2 }));
    tell('lane-9', told('no paper', { count: 10 }));
    const { errors } = ask(query);
    expect(errors.map(({ pattern, count, terminals }) => [pattern, count, terminals])).toEqual(
      expected,
    );
  });

  it('come with new ones first, then those that grow, then the most frequent', () => {
    const { told, tell, ask, time } = centre();
    tell('lane-1', told('often', { count: 900 }), told('grows', { count: 5 }));
    time.pass(20 * HOUR_MS);
    tell('lane-1', told('often', { count: 900 }), told('grows', { count: 50 }));
    tell('lane-1', told('fresh'));
    const { errors } = ask({ sinceMs: START_MS + HOUR_MS / 2 });
    expect(errors.map(({ pattern, isNew, growth }) => [pattern, isNew, growth])).toEqual([
      ['fresh', true, 1],
      ['grows', false, 10],
      ['often', false, 1],
    ]);
  });

  it('are new only where the fleet had them never before', () => {
    const { told, tell, ask, time } = centre();
    tell('lane-1', told('no paper'));
    time.pass(3 * DAY_MS);
    tell('lane-9', told('no paper'));
    expect(ask().errors).toMatchObject([{ isNew: false, terminals: 1 }]);
    expect(ask({ sinceMs: 0 }).errors).toMatchObject([{ isNew: true, terminals: 2 }]);
  });

  it('count in the hour in which they were, however late they arrive', () => {
    const { told, tell, ask, time } = centre();
    time.pass(10 * DAY_MS);
    const lateMs = time.clock.wallMs() - 3 * DAY_MS;
    tell('lane-1', told('no paper', { lastMs: lateMs, firstMs: lateMs }));
    expect(ask().errors).toEqual([]);
    const window = { sinceMs: lateMs - HOUR_MS, untilMs: lateMs + HOUR_MS };
    expect(ask(window).errors).toMatchObject([{ count: 1, lastMs: lateMs }]);
  });

  it('are never of the future, and not older than what is kept', () => {
    const { told, tell, ask, time } = centre();
    tell('lane-1', told('ahead', { lastMs: START_MS + DAY_MS }), told('old', { lastMs: 5 }));
    expect(ask().errors).toMatchObject([{ pattern: 'ahead', lastMs: time.clock.wallMs() }]);
    expect(ask({ sinceMs: 0 }).total).toBe(1);
  });

  it('do not hold what a terminal could not tell apart, but its count', () => {
    const { told, tell, ask } = centre();
    tell('lane-1', told('', { signature: '', pattern: '', sample: '', count: 40 }));
    expect(ask()).toMatchObject({ errors: [], overBound: 40 });
    expect(ask({ terminal: 'lane-1' })).toMatchObject({ errors: [], overBound: 40 });
  });

  it('keep the sample that they have when they are told without one', () => {
    const { told, tell, ask } = centre();
    tell('lane-1', told('no paper'), told('no paper', { sample: '' }));
    expect(ask().errors).toMatchObject([{ sample: 'no paper', count: 2 }]);
  });

  it('do not believe a size or a signature that cannot be', () => {
    const { told, tell, ask } = centre();
    tell('lane-1', told('x', { signature: "'; DROP TABLE" }), told('y', { count: 1e15 }));
    tell('lane-1', told('long', { pattern: 'p'.repeat(9_000), sample: 's'.repeat(9_000) }));
    expect(ask().errors).toMatchObject([{ pattern: 'p'.repeat(300), sample: 's'.repeat(2_000) }]);
  });

  it('outlive a restart of the broker', () => {
    const one = centre();
    one.tell('lane-1', one.told('no paper'));
    const again = openErrors({ ...one.options, fleet: one.reopen() });
    const untilMs = one.time.clock.wallMs();
    const { errors } = again.ask({ sinceMs: untilMs - DAY_MS, untilMs, limit: 9 });
    expect([errors[0]?.terminals, again.kinds()]).toEqual([1, 1]);
  });
});

describe('a question', () => {
  it('for thousands of kinds gives the loop to others between, with the same answer', async () => {
    const { told, tell, ask, errors, time, options } = centre();
    const letters = 'abcdefghijklmnopqrst';
    const ids = Array.from({ length: 3_000 }, (_, n) => n.toString(16).padStart(16, '0'));
    const { database } = options.fleet;
    const add = database.db.prepare('INSERT INTO error_hours VALUES (?, ?, ?, 1, ?, ?)');
    tell('lane-1', told('no paper'));
    const hour = Math.floor(time.clock.wallMs() / HOUR_MS);
    for (const id of ids) add.run(hour, 1, `${letters}${id}`, START_MS, NO_MEMBERS);
    let steps = 0;
    const tick = (): void => {
      steps += 1;
      timer = setImmediate(tick);
    };
    let timer = setImmediate(tick);
    const query = { sinceMs: time.clock.wallMs() - DAY_MS, untilMs: time.clock.wallMs(), limit: 9 };
    const answer = await errors.askInSteps(query);
    clearImmediate(timer);
    expect(steps).toBeGreaterThan(0);
    expect(answer).toEqual(ask({ limit: 9 }));
    expect(answer?.errors).toMatchObject([{ count: 3_001 }]);
    const many = await Promise.all(Array.from({ length: 12 }, () => errors.askInSteps(query)));
    expect(many.filter((one) => one === undefined)).toHaveLength(4);
    expect(await errors.askInSteps(query)).toEqual(answer);
  });
});

describe('what is kept of kinds of errors', () => {
  it('goes with its age, in steps', () => {
    const { told, tell, ask, errors, time } = centre();
    tell('lane-1', told('old'));
    time.pass(2 * DAY_MS);
    tell('lane-1', told('young'));
    let rows = 0;
    for (let gone = -1; gone !== 0; rows += gone) {
      gone = errors.expire(time.clock.wallMs() - DAY_MS);
    }
    expect(rows).toBe(3);
    expect(ask({ sinceMs: 0 }).errors).toMatchObject([{ pattern: 'young' }]);
  });

  it('has bounds, at which the oldest goes', () => {
    const limits = { kinds: 10, hourRows: 20, storeRows: 30 };
    const { told, tell, ask, errors, time } = centre({ limits });
    const letters = 'abcdefghijklmnopqrstuvwxyz';
    for (let i = 0; i < 400; i += 1) {
      time.pass(60_000);
      const { id = '' } = TERMINALS[i % 3] ?? {};
      tell(id, told(`trouble ${letters[i % 26]}${letters[Math.floor(i / 26)]}`));
    }
    expect(errors.kinds()).toBeLessThan(10 + 64);
    const { total, errors: found } = ask({ sinceMs: 0, limit: 500 });
    expect(total).toBeLessThan(30 + 64);
    expect(found.some(({ lastMs }) => lastMs === time.clock.wallMs())).toBe(true);
  });
});

describe('one hostile or broken terminal', () => {
  const flood = (count: number) => Array.from({ length: count }, (_, n) => n);
  const hex = (n: number): string => n.toString(16).padStart(16, '0');

  it('does not push out the kinds of the fleet, and what it tells too many of is counted', () => {
    const limits = { kinds: 1_000, hourRows: 200_000, storeRows: 200_000 };
    const { told, tell, ask, errors, time } = centre({ limits });
    tell('lane-1', told('no paper'));
    time.pass(60_000);
    const events = flood(3_000).map((n) => told('x', { signature: hex(n), pattern: `x ${n}` }));
    for (let at = 0; at < events.length; at += 100) tell('lane-9', ...events.slice(at, at + 100));
    expect(errors.kinds()).toBeLessThanOrEqual(2 + KINDS_PER_TERMINAL_MAX);
    const { errors: found, overBound } = ask({ limit: 1_000 });
    expect(found.map(({ pattern }) => pattern)).toContain('no paper');
    expect(overBound).toBe(3_000 - KINDS_PER_TERMINAL_MAX);
    expect(ask({ terminal: 'lane-9', limit: 1 }).overBound).toBe(3_000 - KINDS_PER_TERMINAL_MAX);
    time.pass(DAY_MS);
    tell('lane-9', told('fresh'));
    expect(ask({ limit: 1_000 }).errors.map(({ pattern }) => pattern)).toContain('fresh');
  });

  it('does not push out hours with versions, components and times of its own', () => {
    const limits = { kinds: 20_000, hourRows: 4_000, storeRows: 4_000 };
    const { told, tell, ask, time } = centre({ limits });
    time.pass(60 * DAY_MS);
    const lastMs = time.clock.wallMs() - 50 * DAY_MS;
    tell('lane-1', told('no paper', { lastMs }));
    const events = flood(5_000).map((n) => {
      const at = { lastMs: time.clock.wallMs() - (n % 1_000) * HOUR_MS, version: `${n}` };
      return told('x', { ...at, pattern: 'x', signature: hex(7) });
    });
    for (let at = 0; at < events.length; at += 100) tell('lane-9', ...events.slice(at, at + 100));
    const { errors: found } = ask({ sinceMs: lastMs - HOUR_MS, untilMs: lastMs + HOUR_MS });
    expect(found).toMatchObject([{ pattern: 'no paper' }]);
    expect(ask({ sinceMs: 0 }).overBound).toBe(5_000 - ROWS_PER_TERMINAL_MAX / 2);
  });

  it.each([0, START_MS - 40 * DAY_MS])('hides nothing that is new by a time of %i', (firstMs) => {
    const { told, tell, ask } = centre();
    tell('lane-1', told('no paper', { firstMs }));
    expect(ask().errors).toMatchObject([{ isNew: true, firstMs: START_MS }]);
    tell('lane-9', told('no paper', { firstMs, lastMs: Math.max(firstMs, 1) }));
    expect(ask().errors).toMatchObject([{ isNew: true, firstMs: START_MS }]);
  });
});
