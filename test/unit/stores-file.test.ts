import { describe, expect, it } from 'vitest';
import { readStoresFile } from '../../broker/stores/file.ts';
import { hoursText, nextChange, readHours } from '../../broker/stores/hours.ts';
import { textOf } from '../../broker/stores/shape.ts';
import { dayOf, isZone } from '../../broker/stores/zone.ts';
import { must } from './fleet-rig.ts';

const YAML = `
stores:
  - id: bm
    name: Berlin Mitte
    region: north
    timeZone: Europe/Berlin
    hours: { mon-sat: "08:00-20:00", wed: "08:00-13:00, 14:00-18:00", sun: closed }
    exceptions:
      - { date: 2026-12-24, hours: "08:00-14:00", reason: Christmas Eve }
      - { from: 2026-12-25, to: 2026-12-26, hours: closed }
    lanes: 2
    labels: [pilot, format=city]
    terminals: [bm-1, { id: bm-2, labels: [self-checkout] }]
`;
const problemsOf = async (text: string, name = 'stores.yaml'): Promise<readonly string[]> => {
  const read = await readStoresFile(text, name);
  return read.ok ? [] : read.problems;
};
const one = (more: string): string => `stores: [{ id: a, region: n, timeZone: UTC, ${more} }]`;

describe('hours of a day', () => {
  it.each([
    ['08:00-20:00', '08:00-20:00'],
    ['8:00 - 12:00,14:00-18:00', '08:00-12:00, 14:00-18:00'],
    ['14:00-18:00, 09:00-13:00', '09:00-13:00, 14:00-18:00'],
    ['22:00-02:00', '22:00-02:00'],
    ['00:00-24:00', 'always'],
    ['Closed', 'closed'],
    ['20:00-24:00', '20:00-24:00'],
  ])('%s is %s', (said, read) => {
    const hours = must(readHours(said));
    expect(hoursText(hours)).toBe(read);
    expect(must(readHours(hoursText(hours)))).toEqual(hours);
  });
  it.each([
    ['', 'are no hours'],
    ['8-20', 'are no hours'],
    ['08:00-25:00', '00:00 to 24:00'],
    ['08:60-09:00', '00:00 to 24:00'],
    ['24:00-02:00', '00:00 to 24:00'],
    ['08:00-08:00', 'has no length'],
    ['08:00-12:00, 11:00-13:00', 'overlap'],
    [Array.from({ length: 9 }, (_, n) => `0${n}:00-0${n}:30`).join(','), 'at most 8'],
  ])('%s are refused', (said, why) => {
    const read = readHours(said);
    expect(read.ok ? '' : read.reason).toContain(why);
  });
  it('say when they change next, and nothing where they never do', () => {
    const always = must(readHours('always'));
    const shop = { timeZone: 'Europe/Berlin', exceptions: [], hours: { mon: always, tue: always } };
    const change = nextChange(shop, Date.parse('2026-06-08T10:00:00Z'));
    expect(change).toBe(Date.parse('2026-06-09T22:00:00Z'));
    expect(nextChange({ ...shop, hours: {} }, 0)).toBeUndefined();
    expect(nextChange({ timeZone: 'UTC', exceptions: [] }, 0)).toBeUndefined();
  });
  it('are of a zone that has a name, and of a date of the calendar', () => {
    expect(['Europe/Berlin', 'UTC', 'Mars/X', '+02:00', ''].map(isZone)).toEqual([
      ...[true, true, false, false, false],
    ]);
    expect(dayOf('2024-02-29')).toBe(19_782);
    expect(['2026-02-29', '2026-2-1', 'x', '2026-13-01'].map(dayOf)).toEqual([
      ...[undefined, undefined, undefined, undefined],
    ]);
  });
});

describe('a file of stores', () => {
  it('says the same as YAML and as what it is told back as', async () => {
    const read = await readStoresFile(YAML, 'stores.yaml');
    if (!read.ok) throw new Error(read.problems.join());
    const text = read.stores.map(textOf);
    expect(text[0]?.hours).toMatchObject({ mon: '08:00-20:00', wed: '08:00-13:00, 14:00-18:00' });
    expect(text[0]?.terminals).toEqual(['bm-1', { id: 'bm-2', labels: ['self-checkout'] }]);
    const again = await readStoresFile(JSON.stringify({ stores: text }), 'stores.yaml');
    expect(again).toEqual(read);
  });

  it('says as a table what YAML says, whichever way a spreadsheet writes it', async () => {
    const rows = [
      'id;name;region;time_zone;mon;sun;exceptions;lanes;labels;terminals',
      'bm;Berlin;north;Europe/Berlin;08:00-20:00;;"2026-12-24 closed; 2026-12-25..2026-12-26 closed";2;pilot x=1;bm-1 bm-2',
    ];
    const read = await readStoresFile(`\uFEFF${rows.join('\r\n')}\r\n`, 'Stores.CSV');
    if (!read.ok) throw new Error(read.problems.join());
    expect(read.stores.map(textOf)).toMatchObject([
      {
        ...{ id: 'bm', name: 'Berlin', lanes: 2, labels: ['pilot', 'x=1'] },
        hours: { mon: '08:00-20:00', tue: 'closed', sun: 'closed' },
        exceptions: [{ from: '2026-12-24' }, { from: '2026-12-25', to: '2026-12-26' }],
        terminals: ['bm-1', 'bm-2'],
      },
    ]);
    const comma = await readStoresFile('id,region,time_zone\na,n,UTC\n', 'x.csv');
    expect(comma.ok && comma.stores[0]?.hours).toBeUndefined();
  });

  it('tells everything that is wrong with it at once, each with its line', async () => {
    const wrong = [
      'stores:',
      '  - id: Bm',
      '    region: north',
      '    timeZone: Mars/Olympus',
      '    hours: { mon: 8-20, tue: "08:00-09:00" }',
      '    lanes: -1',
      '  - { id: a, region: n, timeZone: UTC, terminals: [t-1, t-1], colour: red }',
      '  - id: a',
      '    region: n',
      '    exceptions: [{ date: 2026-02-30, hours: closed }]',
    ].join('\n');
    expect((await problemsOf(wrong)).map((line) => line.replace(/: .* \(/, ' ('))).toEqual([
      'stores[0].id (line 2)',
      'stores[0].timeZone (line 4)',
      'stores[0].hours.mon (line 5)',
      'stores[0].lanes (line 6)',
      'stores[1].colour (line 7)',
      'stores[2].timeZone (line 8)',
      'stores[2].exceptions[0].date (line 10)',
      'stores[1].terminals[1] (line 7)',
      'stores[2].id (line 8)',
    ]);
    const table = 'id,region,time_zone,mon\na,n,UTC,x\nb,n,UTC,closed\nb,n,Mars,closed\n';
    expect((await problemsOf(table, 'x.csv')).map((line) => line.replace(/: .* \(/, ' ('))).toEqual(
      [...['mon (line 2)', 'time_zone (line 4)', 'id (line 4)']],
    );
  });

  it.each([
    ['', 'must hold `stores:`'],
    ['stores: 5', 'must be a list of stores'],
    ['stores: [', 'not valid YAML'],
    ['stores: !!js/function x', 'not valid YAML'],
    [one('name: "Berlin\\u0007"'), 'without control characters'],
    [one('name: "a\\u202Eb"'), 'without control characters'],
    [one('name: "4111 1111 1111 1111"'), 'card data'],
    [one('labels: [pan=4111111111111111]'), 'card data'],
    [one('labels: ["a b"]'), 'a label is a word'],
    [one('exceptions: [{ date: 2026-01-01, hours: closed, reason: "5555555555554444" }]'), 'card'],
    [one('hours: { mon-fri: closed, wed-sun: closed }'), 'both name a day'],
    [one('hours: { monday: closed }'), 'days are mon'],
    [one('exceptions: [{ from: 2026-01-02, to: 2026-01-01, hours: closed }]'), '"from" is after'],
    [
      one(
        'exceptions: [{ from: 2026-01-01, to: 2026-01-05, hours: closed }, { date: 2026-01-03, hours: always }]',
      ),
      'in another exception already',
    ],
    [one('__proto__: { x: 1 }'), 'is nothing that is known here'],
  ])('%# that is wrong changes nothing: %s', async (text, why) => {
    expect((await problemsOf(text)).join()).toContain(why);
  });

  it.each([
    ['', 'the file is empty'],
    ['id,region\na,n\n', 'the column time_zone is missing'],
    ['id,region,time_zone,zone\n', 'there is no column "zone"'],
    ['id,region,time_zone,id\n', 'is there twice'],
    ['id,region,time_zone\na,n,UTC,x\n', 'quote a cell with a comma'],
    ['id,region,time_zone\n"a,n,UTC\n', 'not valid CSV'],
  ])('%# that is no such table: %s', async (text, why) => {
    expect((await problemsOf(text, 'x.csv')).join()).toContain(why);
  });

  it('of five thousand stores is read, and a bomb of aliases is not', async () => {
    const days = 'mon,tue,wed,thu,fri,sat,sun';
    const row = (n: number) => `s-${n},n,Europe/Berlin,${'08:00-20:00,'.repeat(7)}t-${n}`;
    const rows = Array.from({ length: 5_000 }, (_, n) => row(n));
    const read = await readStoresFile(
      `id,region,time_zone,${days},terminals\n${rows.join('\n')}`,
      'x.csv',
    );
    expect(read.ok && read.stores.length).toBe(5_000);
    const bomb = ['a: &a [x, x]', ...'bcdefghijkl'].map((name, at, all) =>
      at === 0 ? name : `${name}: &${name} [${`*${all[at - 1]?.[0]}, `.repeat(9)}*a]`,
    );
    expect((await problemsOf(`${bomb.join('\n')}\nstores: *l\n`)).join()).toContain(
      'not valid YAML',
    );
    expect((await problemsOf('x'.repeat(17 * 1024 * 1024))).join()).toContain('at most 16 MB');
  });
});
