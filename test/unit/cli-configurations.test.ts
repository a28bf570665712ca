// What a person reads of the fleet's configuration, from the answers of a real API.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TerminalView } from '../../cli/client.ts';
import {
  configurationLines,
  fleetConfigurationLines,
  runningText,
} from '../../cli/configuration-words.ts';
import { runApply, runRollback } from '../../cli/configurations/apply.ts';
import { runCheck } from '../../cli/configurations/check.ts';
import {
  runConfigurations,
  runHistory,
  runRemove,
  runShow,
} from '../../cli/configurations/show.ts';
import type { Context } from '../../cli/context.ts';
import { plainStyle } from '../../cli/screen.ts';
import { begin, terminals, text } from './configurations-rig.ts';
import { authorization } from './http-rig.ts';

async function atDesk() {
  const rig = await begin();
  const printed: string[] = [];
  const ask = async (method: 'GET' | 'POST', url: string, payload?: unknown) => {
    const headers = { authorization, 'content-type': 'application/json' };
    const body = payload === undefined ? {} : { payload: JSON.stringify(payload) };
    const answer = await rig.app.inject({ method, url, headers, ...body });
    const value = answer.json();
    if (answer.statusCode < 300) return { ok: true as const, value };
    return { ok: false as const, exit: answer.statusCode === 422 ? 64 : 1, sentence: value.detail };
  };
  const context = {
    print: (line: string) => printed.push(line),
    style: plainStyle,
    nowMs: rig.time.clock.wallMs,
    sleep: async () => void rig.finish(),
    json: false,
    client: {
      url: 'http://broker',
      get: (path: string) => ask('GET', path),
      post: (path: string, body: unknown) => ask('POST', path, body),
    },
  } as unknown as Context;
  const folder = mkdtempSync(join(tmpdir(), 'tw-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const write = (content: string): string => {
    writeFileSync(join(folder, 'base.yaml'), content);
    return join(folder, 'base.yaml');
  };
  const wish = { name: 'base', reason: 'T-500', wait: true, lasts: undefined, ready: undefined };
  const apply = (content: string, count: string | undefined, store = 'berlin') =>
    runApply(context, write(content), { ...wish, count, selector: { store } });
  const said = (): string => printed.splice(0).join('\n');
  return { ...rig, context, wish, apply, said, write };
}

describe('tillwatch config', () => {
  it('shows what would be done before it is done, and does it for the right number', async () => {
    const { apply, said, till, context, get } = await atDesk();
    expect((await apply(text(), undefined)).exit).toBe(0);
    expect(said()).toMatch(
      /^base version 1, for store berlin\n--- nothing\n\+\+\+ base new\n.*3 terminals of 1 store get it now, beginning with 1, .*nothing is done yet: run it again with --count 3$/s,
    );
    expect(await apply(text(), '2')).toMatchObject({
      exit: 1,
      sentence: '2 is not 3: nothing is done',
    });
    expect(
      (await get('/api/v1/bulk')).json().bulks.map(({ state }: { state: string }) => state),
    ).toEqual(['aborted', 'aborted']);
    said();
    expect((await apply(text(), '3')).exit).toBe(0);
    expect(said()).toMatch(/version 1 of base is released: 3 succeeded, 0 failed, 0 left out$/);
    expect(till('berlin-3').text).toBe(text());
    await runConfigurations(context);
    expect(said()).toMatch(
      /^NAME +FOR +RELEASED +NEWEST +TERMINALS\nbase +store berlin +1 +- +3 run it$/,
    );
  });

  it('says what a stop looks like: which tills, what each said, how to go back', async () => {
    const { apply, said, till, context, wish } = await atDesk();
    await apply(text(), '3');
    for (const { id } of terminals) till(id).works = false;
    said();
    const outcome = await apply(text('logs: {}\n'), '3');
    expect(outcome).toMatchObject({
      exit: 1,
      sentence: expect.stringContaining('version 2 of base was stopped'),
    });
    const stop = said();
    expect(stop).toContain('berlin-1: sale was not ready: back on the last good one');
    expect(stop).toContain('go back:        tillwatch config rollback base --reason ...');
    await runShow(context, 'base', undefined);
    expect(said()).toMatch(
      /^base: for store berlin\nreleased: version 1, .*\nstopped: version 2, .*3 terminals meant: 3 run it$/s,
    );
    await runRollback(context, { ...wish, count: '0', to: undefined });
    expect(said()).toMatch(
      /version 3, for store berlin, the text of version 1\nno difference to version 1/,
    );
    await runHistory(context, 'base');
    expect(
      said()
        .split('\n')
        .map((line) => line.split(/ +/).slice(0, 2).join(' ')),
    ).toEqual([...['VERSION STATE', '3 released', '2 stopped', '1 released']]);
    expect((await runRemove(context, 'base', { reason: 'over', yes: true })).exit).toBe(0);
    expect(said()).toBe('base is forgotten; 3 terminals go on with it');
  });

  it.each([
    [
      'a text with problems',
      'colour: red\nmode: loud\n',
      '3',
      /base.yaml has 2 problems: nothing is done/,
    ],
    ['a wrong number', text(), 'three', /--count: a whole number/],
  ])('refuses %s', async (_what, content, count, sentence) => {
    const { apply } = await atDesk();
    expect(await apply(content, count)).toMatchObject({
      exit: 64,
      sentence: expect.stringMatching(sentence),
    });
  });

  it('checks a file without a broker', async () => {
    const { write } = await atDesk();
    const printed: string[] = [];
    const print = (line: string) => printed.push(line);
    expect(await runCheck(write('terminal: x\n'), { print, json: false })).toMatchObject({
      exit: 64,
    });
    expect(await runCheck('/nowhere.yaml', { print, json: false })).toMatchObject({
      sentence: '/nowhere.yaml cannot be read (ENOENT)',
    });
    expect(await runCheck(write(text()), { print, json: false })).toEqual({ exit: 0 });
  });
});

describe('a terminal', () => {
  const sha256 = 'a'.repeat(64);
  const of = (configuration: object) =>
    ({ id: 'lane-1', configuration }) as unknown as TerminalView;
  const runs = { name: 'base', version: 3, sha256, state: 'kept', behind: false };
  const target = { name: 'base', version: 4, sha256: 'b'.repeat(64) };
  it.each([
    ['as it should', { ...runs, target: { ...target, version: 3, sha256 } }, []],
    [
      'behind',
      { ...runs, target, behind: true },
      ['configuration base version 4 (bbbbbbbbbbbb) is meant for it: behind'],
    ],
    [
      'ahead',
      { ...runs, version: 5, target },
      ['ahead of what is meant for it: configuration base version 4 (bbbbbbbbbbbb)'],
    ],
    [
      'not taken',
      { ...runs, refused: 'sale was not ready' },
      ['configuration not taken: sale was not ready'],
    ],
  ])('is told %s', (_what, configuration, lines) => {
    expect(configurationLines(of(configuration))).toEqual(lines);
    expect(runningText(of(configuration))).toMatch(
      /^runs configuration base version \d \(aaaaaaaaaaaa\)$/,
    );
  });

  it('that refused stands in the line of the fleet', () => {
    const behind = { ...runs, target, behind: true };
    const all = [of(behind), of({ ...behind, refused: 'no' }), of(runs)];
    expect(fleetConfigurationLines(all)).toEqual([
      'configuration base version 4: 2 terminals behind, 1 did not take it (lane-1)',
    ]);
  });
});
