// What of two configurations differs for what runs, what an order to apply one is refused for, and which text a till
// runs under when files of it are damaged or its disk takes nothing.

import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { differenceOf, isOtherLaunch, launchMark } from '../../agent/configuration/difference.ts';
import { Keeper } from '../../agent/configuration/keeper.ts';
import { digestOf, Store } from '../../agent/configuration/store.ts';
import { NO_NOTES, type Notes } from '../../agent/configuration/types.ts';
import { refusal, unpack } from '../../agent/deeds/apply.ts';
import { argumentsAnew } from '../../agent/system/anew.ts';
import { type AgentConfig, loadConfig } from '../../configuration/config.ts';
import { fail, ok } from '../../protocol/result.ts';

const OWN = 'terminal: lane-1\ndataDir: data\nrunDir: run\n';
const read = (document: string): AgentConfig => {
  const loaded = loadConfig(OWN, '/t', document);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
};
const sale = (more = ''): string => `components: [{name: sale, command: [run]${more}}]\n`;

const ROWS: [
  string,
  string,
  string,
  { changed?: string[]; removed?: string[]; added?: string[] },
][] = [
  ['the same', sale(), sale(), {}],
  ['another version', sale(), sale(', version: "2"'), { changed: ['sale'] }],
  ['another argument', sale(), sale().replace('[run]', '[run, x]'), { changed: ['sale'] }],
  ['another environment', sale(', env: {A: b}'), sale(', env: {A: c}'), { changed: ['sale'] }],
  ['the same in another order', sale(', env: {A: b, C: d}'), sale(', env: {C: d, A: b}'), {}],
  ['another folder', sale(), sale(', cwd: x'), { changed: ['sale'] }],
  ['another user', sale(), sale(', user: till'), { changed: ['sale'] }],
  ['a witness', sale(), sale(', witness: true'), { changed: ['sale'] }],
  ['mode, beat, budget, probes', sale(), sale(', mode: observe, beatMs: 400'), {}],
  ['other limits of all', sale(), `${sale()}sampling: {everyMs: 1000}\n`, {}],
  [
    'one goes, one comes',
    sale(),
    'components: [{name: scale, command: [run]}]',
    { removed: ['sale'], added: ['scale'] },
  ],
  [
    'what something else starts is never stopped for it',
    'components: [{name: kiosk, run: external, external: {pid: {file: a}}}]',
    sale(),
    { added: ['sale'] },
  ],
  [
    'how it is found changes nothing for it',
    'components: [{name: kiosk, run: external, external: {pid: {file: a}}}]',
    'components: [{name: kiosk, run: external, external: {pid: {file: b}}, version: "2"}]',
    {},
  ],
  [
    'from now on something else starts it',
    sale(),
    'components: [{name: sale, run: external, external: {pid: {file: a}}}]',
    { changed: ['sale'] },
  ],
];

describe('two configurations', () => {
  it.each(ROWS)('%s', (_, before, after, expected) => {
    const none = { changed: [], removed: [], added: [] };
    expect(differenceOf(read(before), read(after))).toEqual({ ...none, ...expected });
  });

  it('know what runs by its mark, and nothing of what was started without one', () => {
    const [one] = read(sale()).components;
    const [other] = read(sale(', version: "2"')).components;
    if (one === undefined || other === undefined) throw new Error('no component');
    expect(isOtherLaunch(launchMark(one), one)).toBe(false);
    expect(isOtherLaunch(launchMark(one), other)).toBe(true);
    expect(isOtherLaunch(undefined, other)).toBe(false);
    expect(isOtherLaunch('0:of an agent that counts otherwise', other)).toBe(false);
  });
});

describe('an order to apply one', () => {
  const args = (text: string) => ({
    ...{ name: 'shop', version: 1, sha256: digestOf(text) },
    packed: deflateRawSync(text).toString('base64'),
  });

  it('holds the text that was signed for, and no more than may be', () => {
    expect(unpack(args('mode: act # ü'))).toEqual(ok('mode: act # ü'));
    expect(unpack({ ...args('a: b'), sha256: digestOf('c: d') })).toMatchObject({ ok: false });
    expect(unpack({ ...args('a: b'), packed: 'AAAA' })).toMatchObject({ ok: false });
    const bomb = unpack(args('#'.repeat(300_000)));
    expect(bomb).toMatchObject({ ok: false, reason: expect.stringContaining('262144 bytes') });
  });

  it('is refused with as many problems as fit, and their number', () => {
    expect(refusal(['a: is wrong'])).toBe('a: is wrong');
    expect(refusal(['a: is wrong', 'b: is missing'])).toBe(
      '2 problems: a: is wrong; b: is missing',
    );
    const many = refusal(Array.from({ length: 90 }, (_, at) => `components[${at}]: is wrong`));
    expect(many.length).toBeLessThanOrEqual(500);
    expect(many).toMatch(/^90 problems: .*; \.\.\.$/);
  });
});

describe('an agent that begins anew', () => {
  it('has the same flags and arguments without what was for the first start', () => {
    const started = {
      execArgv: ['--max-old-space-size=48'],
      argv: ['/n', '/a.mjs', '--config', 'x.yaml', '--enroll', 'twe1.secret', '--json'],
    };
    const anew = ['--max-old-space-size=48', '/a.mjs', '--config', 'x.yaml', '--json'];
    expect(argumentsAnew(started, ['--enroll'])).toEqual(anew);
    const joined = [...started.argv.slice(0, 4), '--enroll=twe1.secret', '--json'];
    expect(argumentsAnew({ ...started, argv: joined }, ['--enroll'])).toEqual(anew);
  });
});

/** A till's folder in memory. */
function tillWith(files: Record<string, string>, isFull = false) {
  const disk = new Map(Object.entries(files).map(([name, text]) => [`/d/${name}`, text]));
  const said: string[] = [];
  const store = new Store({
    folder: '/d',
    files: {
      read: (path) => disk.get(path),
      remove: (path) => void disk.delete(path),
      makeDirectory: () => ok(undefined),
    },
    write: (path, text) => {
      if (isFull) return Promise.resolve(fail('cannot write: ENOSPC'));
      disk.set(path, text);
      return Promise.resolve(ok(undefined));
    },
    promote: () => Promise.resolve(ok(undefined)),
    setAside: (_folder, name) => {
      disk.delete(`/d/${name}`);
      return Promise.resolve();
    },
    log: { error: (sentence) => said.push(sentence) },
  });
  const own = { path: '/t/agent.yaml', folder: '/t', text: OWN };
  const clock = { bootMs: () => 1_000, monotonicMs: () => 1_000 };
  const keeper = new Keeper({ own, store, clock, early: said });
  const begin = async (): Promise<string[]> => {
    const config = await keeper.choose(read('mode: act'), await store.find());
    return config.components.map(({ name }) => name);
  };
  return { keeper, begin, said, disk };
}

const shelf = (text: string, version: number): string =>
  `# ${JSON.stringify({ name: 'shop', version, sha256: createHash('sha256').update(text).digest('hex') })}\n${text}`;
const named = (name: string, version: number): string =>
  shelf(`components: [{name: ${name}, command: [run]}]\n`, version);
const trialOf = (name: string, attempts: number): Notes => ({
  ...NO_NOTES,
  trial: {
    ...{ command: 'c', attempts, readyMs: 60_000, needed: [name], restarted: [] },
    document: {
      ...{ name: 'shop', version: 2 },
      sha256: digestOf(`components: [{name: ${name}, command: [run]}]\n`),
    },
  },
});
const notes = (value: Notes): string => JSON.stringify(value);

describe('a till runs under', () => {
  const good = named('sale', 1);
  const trial = named('scale', 2);
  it.each<[string, Record<string, string>, boolean, string[], string]>([
    ['its own file, when nothing came', {}, false, [], ''],
    ['the good one', { 'good.yaml': good, 'notes.json': notes(NO_NOTES) }, false, ['sale'], ''],
    ['the good one, without any notes', { 'good.yaml': good }, false, ['sale'], ''],
    [
      'the one on trial',
      { 'good.yaml': good, 'trial.yaml': trial, 'notes.json': notes(trialOf('scale', 0)) },
      false,
      ['scale'],
      '',
    ],
    [
      'the good one, when the disk does not take the note of an attempt',
      { 'good.yaml': good, 'trial.yaml': trial, 'notes.json': notes(trialOf('scale', 0)) },
      true,
      ['sale'],
      'ENOSPC',
    ],
    [
      'the good one, after three attempts',
      { 'good.yaml': good, 'trial.yaml': trial, 'notes.json': notes(trialOf('scale', 3)) },
      false,
      ['sale'],
      '',
    ],
    [
      'the one before, when the good one is damaged',
      { 'good.yaml': `${good}x`, 'previous.yaml': named('drawer', 1) },
      false,
      ['drawer'],
      'good.yaml is damaged',
    ],
    [
      'its own file, when all are damaged',
      { 'good.yaml': 'x', 'previous.yaml': '# {}\n', 'notes.json': '{' },
      false,
      [],
      'notes.json is damaged',
    ],
    [
      'the good one, when what is on trial does not fit any more',
      {
        'good.yaml': good,
        'trial.yaml': shelf('bounds: {}\n', 2),
        'notes.json': notes({
          ...NO_NOTES,
          trial: {
            ...{ command: 'c', attempts: 1, readyMs: 1, needed: [], restarted: [] },
            document: { name: 'shop', version: 2, sha256: digestOf('bounds: {}\n') },
          },
        }),
      },
      false,
      ['sale'],
      '',
    ],
  ])('%s', async (_, files, isFull, names, sentence) => {
    const { begin, said } = tillWith(files, isFull);
    expect(await begin()).toEqual(names);
    if (sentence === '') expect(said).toEqual([]);
    else expect(said.join()).toContain(sentence);
  });

  it('a document that was damaged, and ends nobody for it', async () => {
    const { begin, keeper } = tillWith({ 'good.yaml': 'x' });
    await begin();
    expect(keeper.isLess).toBe(true);
  });

  it('what ended a trial, and still owes the answer', async () => {
    const files = { 'trial.yaml': trial, 'notes.json': notes(trialOf('scale', 3)) };
    const { begin, keeper } = tillWith(files);
    await begin();
    expect(keeper.resumed()).toEqual(['c']);
    expect(keeper.model.notes.outcome).toMatchObject({ what: 'rolled_back', isTold: false });
  });
});
