// `tillwatch bulk` and the notices that come before an answer, against a broker's API on a socket of its own.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { seenFile } from '../../cli/notices.ts';
import { tillwatch } from './cli-rig.ts';
import { START_MS } from './fleet-rig.ts';
import { inventory, open, TOKEN } from './http-rig.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

async function begin() {
  const rig = await open();
  for (const id of ['lane-1', 'lane-2']) {
    rig.terminals.events(id, inventory);
    rig.fleet.sessionOpened(id, { address: '', openedMs: START_MS });
  }
  rig.fleet.drain();
  const url = await rig.app.listen({ host: '127.0.0.1', port: 0 });
  const home = mkdtempSync(join(tmpdir(), 'tw-cli-bulk-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  vi.stubEnv('TILLWATCH_URL', url);
  vi.stubEnv('TILLWATCH_API_TOKEN', TOKEN);
  vi.stubEnv('XDG_STATE_HOME', home);
  vi.stubEnv('XDG_CONFIG_HOME', home);
  return { ...rig, url, tillwatch };
}

const idIn = (text: string): string => /bulk start (\S+)/.exec(text)?.[1] ?? '';
const PLAN = ['bulk', 'plan', 'restart', 'sale', '--store', 'berlin', '--reason', 'T-490'];

describe('a bulk action on the command line', () => {
  it('takes no empty word for "all of them": a variable of a script may be empty', async () => {
    const { tillwatch } = await begin();
    const plan = ['bulk', 'plan', 'restart', 'sale', '--reason', 'T-490', '--presence', 'online'];
    const { exit, err, out } = await tillwatch(...plan, '--store', '');
    expect([exit, out, err]).toEqual([64, '', expect.stringContaining('--store is empty')]);
    expect((await tillwatch(...plan, '--terminal', '')).exit).toBe(64);
  });

  it('is shown before anything is done, and started with the number that was shown', async () => {
    const { tillwatch, commands } = await begin();
    const planned = await tillwatch(...PLAN);
    expect(planned.out).toContain('restart sale on 2 terminals of 1 store: planned');
    expect(planned.out).toMatch(/lane-1 +berlin +waiting/);
    expect(planned.out).toContain('may not be able to sell');
    expect(commands.countOpen()).toBe(0);
    const id = idIn(planned.out);
    const wrong = await tillwatch('bulk', 'start', id, '--count', '3', '--reason', 'T-490');
    expect([wrong.exit, wrong.err]).toEqual([64, expect.stringContaining('2 terminals, not 3')]);
    const right = await tillwatch('bulk', 'start', id, '--count', '2', '--reason', 'T-490');
    expect([right.exit, right.out]).toEqual([0, expect.stringContaining(': running')]);
    expect(right.out).toContain('wave 1; 1 waiting, 1 sent');
    const paused = await tillwatch('bulk', 'pause', id, '--reason', 'lunch');
    expect(paused.out).toContain('paused by api-token: lunch');
    await tillwatch('bulk', 'abort', id, '--reason', 'wrong list');
    const status = await tillwatch('bulk', 'status', id, '--json');
    expect(JSON.parse(status.out)).toMatchObject({ id, state: 'aborted' });
    expect((await tillwatch('bulk', 'list')).out).toMatch(/restart sale +2 +aborted +api-token/);
  });

  it.each([
    [['plan', 'purge-logs', '--all'], /is nothing for many terminals: use one of restart/],
    [['plan', 'restrt', 'sale', '--all'], /did you mean restart/],
    [['plan', 'restart', 'sale'], /^tillwatch: say which terminals/],
    [['plan', 'start', 'sale', '--all', '--force'], /knows no --force/],
    [['plan', 'restart', 'sale', '--all', '--lasts', 'long'], /--lasts "long"/],
    [['start', 'x', '--count', '1', '--reason', 'why'], /no id of a bulk action/],
    [['start', '2f1d7c4e-8f0a-4a5e-9d3b-0c1b2a394857', '--reason', 'why'], /say --count/],
  ])('refuses %j with a sentence', async (argv, sentence) => {
    const { tillwatch } = await begin();
    const { exit, err } = await tillwatch('bulk', ...argv);
    expect([exit, err]).toEqual([64, expect.stringMatching(sentence)]);
  });
});

describe('a notice', () => {
  it('is shown once, before the answer, to everybody but whoever caused it', async () => {
    const { tillwatch, notices, url, fleet, time } = await begin();
    vi.spyOn(Date, 'now').mockReturnValue(time.clock.wallMs());
    expect((await tillwatch('fleet')).err).toBe('');
    fleet.database.transact(() => {
      notices.add({ operator: 'kim', text: 'kim started restart on 120 terminals', bulk: 'b' });
      notices.add({ operator: 'api-token', text: 'I did', bulk: 'b' });
    });
    const told = await tillwatch('fleet');
    expect(told.err).toMatch(/^tillwatch: \d\d:\d\d kim started restart on 120 terminals\n$/);
    expect((await tillwatch('fleet')).err).toBe('');
    expect(JSON.parse(readFileSync(seenFile(process.env), 'utf8'))).toEqual({ [url]: 2 });
  });

  it('is not lost behind many others, nor where the broker began anew', async () => {
    const { tillwatch, notices, url, fleet, time } = await begin();
    vi.spyOn(Date, 'now').mockReturnValue(time.clock.wallMs());
    const add = (text: string): void => {
      fleet.database.transact(() => notices.add({ operator: 'kim', text, bulk: 'b' }));
    };
    // Of a broker whose database was older, or another one.
    mkdirSync(dirname(seenFile(process.env)), { recursive: true });
    writeFileSync(seenFile(process.env), JSON.stringify({ [url]: 500 }));
    add('kim started restart on 120 terminals');
    expect((await tillwatch('fleet')).err).toContain('120 terminals');
    for (let n = 0; n < 7; n += 1) add(`noise ${n}`);
    expect((await tillwatch('fleet')).err).toContain('2 earlier notices are not shown');
  });

  it('does not come into what is printed for a program', async () => {
    const { tillwatch, notices, fleet, time } = await begin();
    vi.spyOn(Date, 'now').mockReturnValue(time.clock.wallMs());
    fleet.database.transact(() => {
      notices.add({ operator: 'kim', text: 'stopped \u001b[2J by itself', bulk: 'b' });
    });
    const { out, err } = await tillwatch('fleet', '--json');
    expect(() => JSON.parse(out)).not.toThrow();
    expect(err).toMatch(/kim|stopped {1,2}\[2J by itself/);
    expect(err).not.toContain('\u001b');
  });
});
