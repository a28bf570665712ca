// `tillwatch stores` and what it leaves on other screens, against a broker's API on a socket of its own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { readSelector } from '../../cli/selector.ts';
import { tillwatch } from './cli-rig.ts';
import { START_MS } from './fleet-rig.ts';
import { inventory, open, TOKEN } from './http-rig.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** START_MS is a Friday morning; the two terminals of the rig stand in berlin. */
const FILE = `stores:
  - id: berlin
    region: north
    timeZone: Europe/Berlin
    hours: { mon-fri: "08:00-20:00", sat: "09:00-13:00, 14:00-18:00", sun: closed }
    labels: [pilot]
    terminals: [lane-1, { id: lane-2, labels: [self] }]
  - id: kiel
    region: south
    timeZone: America/New_York
    hours: { daily: "08:00-20:00" }
    exceptions: [{ date: 2026-12-24, hours: closed }]
    lanes: 3
    terminals: [kiel-1]
`;

async function begin() {
  const rig = await open();
  rig.terminals.events('lane-1', inventory);
  rig.fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
  rig.fleet.drain();
  const url = await rig.app.listen({ host: '127.0.0.1', port: 0 });
  const home = mkdtempSync(join(tmpdir(), 'tw-cli-stores-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  vi.stubEnv('TILLWATCH_URL', url);
  vi.stubEnv('TILLWATCH_API_TOKEN', TOKEN);
  vi.stubEnv('XDG_STATE_HOME', home);
  vi.stubEnv('XDG_CONFIG_HOME', home);
  const file = (text: string, name = 'stores.yaml'): string => {
    writeFileSync(join(home, name), text);
    return join(home, name);
  };
  return { ...rig, home, file, tillwatch };
}

const YES = ['--yes', '--reason', 'T-490'];

describe('a file of stores on the command line', () => {
  it('is shown, applied only where somebody says so, and nothing the second time', async () => {
    const { tillwatch, file, stores, fleet } = await begin();
    const path = file(FILE);
    expect((await tillwatch('stores')).out).toContain('nothing is known of any store yet');
    const dry = await tillwatch('stores', 'apply', path, '--dry-run');
    expect([dry.exit, dry.out]).toEqual([0, expect.stringContaining('2 stores added; 1 terminal')]);
    expect(dry.out).toContain('+ kiel: new store in south, America/New_York, 3 lanes expected; 1');
    // Nobody is there who could be asked.
    const asked = await tillwatch('stores', 'apply', path, '--reason', 'T-490');
    expect([asked.exit, asked.err]).toEqual([64, expect.stringContaining('say --yes')]);
    expect((await tillwatch('stores', 'apply', path, '--yes')).err).toContain('say why');
    expect(stores.files()).toEqual([]);
    const applied = await tillwatch('stores', 'apply', path, ...YES);
    expect([applied.exit, applied.out.split('\n').at(-2)]).toEqual([0, 'applied']);
    expect(fleet.view('kiel-1')).toMatchObject({ presence: 'never', region: 'south' });
    const again = await tillwatch('stores', 'apply', path, ...YES);
    expect(again.out).toBe('nothing changes: 2 stores are as the file says\n');
    const json = await tillwatch('stores', 'apply', path, '--dry-run', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ applied: false, counts: { same: 2 } });
  });

  it('that is wrong is told whole, line by line, before any broker is asked', async () => {
    const { tillwatch, file, stores } = await begin();
    const path = file('stores:\n  - { id: a, region: n, timeZone: Mars }\n  - { id: a }\n');
    vi.stubEnv('TILLWATCH_URL', 'http://127.0.0.1:9');
    const { exit, err, out } = await tillwatch('stores', 'apply', path, ...YES);
    expect([exit, out]).toEqual([64, '']);
    expect(err).toContain('4 problems; nothing is changed');
    expect(err).toContain('stores[0].timeZone: is no time zone that this Node knows');
    expect(err).toContain('(line 3)');
    expect((await tillwatch('stores', 'apply', `${path}x`, ...YES)).err).toContain('cannot read');
    expect(stores.files()).toEqual([]);
  });

  it('comes back as a file that changes nothing, as YAML and as a table', async () => {
    const { tillwatch, file, home } = await begin();
    await tillwatch('stores', 'apply', file(FILE), ...YES);
    const out = join(home, 'out.yaml');
    expect((await tillwatch('stores', 'export', '-o', out)).exit).toBe(0);
    expect(readFileSync(out, 'utf8')).toContain('mon-fri: 08:00-20:00');
    expect((await tillwatch('stores', 'apply', out, '--dry-run')).out).toContain('nothing changes');
    const lossy = await tillwatch('stores', 'export', '--csv');
    expect(lossy.err).toContain('a table cannot hold labels of terminals in berlin');
    await tillwatch('stores', 'apply', file(FILE.replace(/\{ id: lane-2.*\}/, 'lane-2')), ...YES);
    const table = join(home, 'out.csv');
    await tillwatch('stores', 'export', '-o', table);
    expect((await tillwatch('stores', 'apply', table, '--dry-run')).out).toContain(
      'nothing changes',
    );
  });

  it('is no formula for whoever opens the table, and the same when it comes back', async () => {
    const { tillwatch, file, home, stores } = await begin();
    const names = ['=1+1', '@SUM(A1)', "'=2", '+49 30', '-x'];
    const said = names.map((name, at) => ({
      ...{ id: `s-${at}`, name, region: 'n', timeZone: 'UTC' },
    }));
    const applied = await tillwatch(
      'stores',
      'apply',
      file(JSON.stringify({ stores: said })),
      ...YES,
    );
    expect(applied.err).toBe('');
    expect(stores.files()).toHaveLength(names.length);
    const table = join(home, 'out.csv');
    await tillwatch('stores', 'export', '-o', table);
    expect(readFileSync(table, 'utf8')).not.toMatch(/(^|[,"])[=+@-]/m);
    expect((await tillwatch('stores', 'apply', table, '--dry-run')).out).toContain(
      'nothing changes',
    );
  });

  it('makes the fleet say what is open, expected, selling and never reported', async () => {
    const { tillwatch, file } = await begin();
    await tillwatch('stores', 'apply', file(FILE), ...YES);
    const fleet = await tillwatch('fleet');
    expect(fleet.out.replaceAll(/\s+/g, ' ')).toContain(
      '2 stores: 1 open, 1 closed; 0 of 2 lanes expected sell, 2 terminals never reported',
    );
    expect(fleet.out).toMatch(/kiel-1 +kiel +never reported +- /);
    const stores = await tillwatch('stores', '--region', 'north');
    expect(stores.out).toMatch(/berlin +north +open until .*20:00 +2 +0 +1 of 2 +1 +0/);
    expect((await tillwatch('stores', '--region', 'east')).err).toContain(
      'regions are north, south',
    );
    const one = await tillwatch('stores', 'show', 'berlin');
    expect(one.out).toContain('lanes     2 expected now, 0 selling');
    expect(one.out).toMatch(/lane-2 +never reported +- +self/);
    expect((await tillwatch('stores', 'show', 'bonn')).err).toContain('no file has named');
    const bulk = ['bulk', 'plan', 'probe', '--reason', 'T-490'];
    expect((await tillwatch(...bulk, '--region', 'south')).out).toContain('kiel-1');
    expect((await tillwatch(...bulk, '--label', 'self')).out).toContain('lane-2');
    expect((await tillwatch(...bulk, '--region', 'east')).exit).toBe(64);
  });
});

describe('what says which terminals are meant', () => {
  it.each([
    [
      { store: 'a', region: 'n', label: 'x=1' },
      { store: 'a', region: 'n', label: 'x=1' },
    ],
    [
      { terminal: ['a', 'b'], runs: 'sale:2' },
      { terminals: ['a', 'b'], version: 'sale:2' },
    ],
    [{ all: true, all_: 1 }, { all: true }],
    [{}, undefined],
    [{ store: '' }, '--store is empty'],
    [{ region: ' ' }, '--region is empty'],
    [{ terminal: ['a', ''] }, '--terminal is empty'],
    [{ store: 'Nord West' }, /^--store: "Nord West" is not a store id/],
    [{ runs: 'sale' }, /^--runs: write COMPONENT:VERSION/],
  ])('%# %j', (options, read) => {
    const found = readSelector(options);
    const said = found.ok ? found.value : found.reason;
    if (read instanceof RegExp) expect(said).toMatch(read);
    else expect(said).toEqual(read);
  });
});
