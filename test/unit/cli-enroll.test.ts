import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Client } from '../../cli/client.ts';
import type { Context } from '../../cli/context.ts';
import { identityWord, identityWords } from '../../cli/identity-words.ts';
import { plainStyle } from '../../cli/screen.ts';
import { runEnroll } from '../../cli/verbs/enroll.ts';
import { readRows } from '../../cli/verbs/enroll-file.ts';
import { runIdentityAct } from '../../cli/verbs/identity.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

function open(
  answer: (path: string, body: unknown) => unknown,
  json = false,
  terminals: readonly object[] = [],
) {
  const asked: string[] = [];
  const lines: string[] = [];
  const client = {
    url: 'https://a:8443',
    get: () => Promise.resolve({ ok: true, value: { terminals } }),
    post: (path: string, body: unknown) => {
      asked.push(path);
      return Promise.resolve(answer(path, body));
    },
  } as unknown as Client;
  const context: Context = {
    ...{ client, json, style: plainStyle, nowMs: () => NOW },
    print: (line) => lines.push(line),
    sleep: () => Promise.resolve(),
  };
  return { asked, lines, context };
}
const made = (terminal: string) => ({
  ...{ token: `twe1.${terminal}`, terminal, store: 'berlin', expiresMs: NOW + HOUR },
});
const wish = { again: false, reason: 'enrolment' };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tw-enroll-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('a file of terminals', () => {
  it('is read as CSV with or without a heading, or as YAML', () => {
    const rows = [
      { terminal: 'lane-1', store: 'berlin' },
      { terminal: 'lane-2', store: 'munich' },
    ];
    const texts = [
      ['terminal,store\r\nlane-1,berlin\r\n\r\nlane-2,munich\r\n', '.csv'],
      ['\uFEFFlane-1;berlin\n# closed: lane-3\n"lane-2"; munich', '.csv'],
      ['- { terminal: lane-1, store: berlin }\n- { id: lane-2, store: munich }', '.yaml'],
      ['terminals: [{ id: lane-1, store: berlin }, { id: lane-2, store: munich }]', '.yml'],
    ] as const;
    for (const [text, extension] of texts) {
      expect(readRows(text, extension)).toEqual({ ok: true, value: rows });
    }
  });

  it('tells all that is wrong with it, with lines', () => {
    const read = readRows('lane-1,berlin\nLane 2,berlin\nlane-1,munich\nlane-4\na,b,c', '.csv');
    expect(read.ok ? '' : read.reason.split('\n')).toEqual([
      'no token was made:',
      expect.stringContaining('line 2: "Lane 2" is no terminal'),
      'line 3: lane-1 stands in line 1 already',
      expect.stringContaining('line 4: "" is no store'),
      'line 5: write terminal,store and nothing else',
    ]);
    expect(readRows('', '.csv')).toMatchObject({ ok: false });
    expect(readRows('- {', '.yaml')).toMatchObject({ ok: false });
  });
});

describe('tillwatch enroll', () => {
  it('prints the token and what to type at the till', async () => {
    const { context, lines, asked } = open(() => ({ ok: true, value: made('lane-1') }));
    const one = { ...wish, terminal: 'lane-1', store: 'berlin' };
    expect(await runEnroll(context, one)).toEqual({ exit: 0 });
    expect(asked).toEqual(['/api/v1/terminals/lane-1/token']);
    expect(lines).toContain('twe1.lane-1');
    expect(lines.at(-1)).toContain('tillwatch join');
    // An argument could be read by every user of the till.
    expect(lines.at(-1)).not.toContain('twe1.');
  });

  it('writes the tokens of a file where only its owner can read them, over no other file', async () => {
    const dir = folder();
    const file = join(dir, 'new.csv');
    writeFileSync(file, 'lane-1,berlin\nlane-2,berlin\n');
    const { context, lines } = open(() => ({
      ...{ ok: true, value: { tokens: [made('lane-1'), made('lane-2')] } },
    }));
    expect(await runEnroll(context, { ...wish, file })).toEqual({ exit: 0 });
    const out = join(dir, 'new.tokens.csv');
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(readFileSync(out, 'utf8').split('\n')[2]).toMatch(/^lane-2,berlin,.*Z,twe1\.lane-2$/);
    expect(lines.join()).not.toContain('twe1.');
    const again = await runEnroll(context, { ...wish, file });
    expect(again).toMatchObject({ exit: 1, sentence: expect.stringContaining('there already') });
  });

  it('asks for nothing when a row is wrong, and leaves no file when it is refused', async () => {
    const dir = folder();
    const file = join(dir, 'new.csv');
    writeFileSync(file, 'lane-1,berlin\nno good\n');
    const { context, asked } = open(() => ({ ok: false, exit: 64, sentence: 'no' }));
    expect(await runEnroll(context, { ...wish, file })).toMatchObject({ exit: 64 });
    expect(asked).toEqual([]);
    writeFileSync(file, 'lane-1,berlin\n');
    expect(await runEnroll(context, { ...wish, file })).toMatchObject({ exit: 64, sentence: 'no' });
    expect(() => statSync(join(dir, 'new.tokens.csv'))).toThrow('ENOENT');
  });

  it('says what is missing', async () => {
    const { context, asked } = open(() => undefined);
    const wrong = [
      wish,
      { ...wish, terminal: 'lane-1' },
      { ...wish, terminal: 'Lane', store: 'berlin' },
      { ...wish, terminal: 'lane-1', store: 'berlin', minutes: '1h' },
      { ...wish, file: 'x.csv', store: 'berlin' },
      { ...wish, file: '/nowhere/x.csv' },
    ];
    for (const one of wrong) expect((await runEnroll(context, one)).exit).toBe(64);
    expect(asked).toEqual([]);
  });
});

describe('tillwatch enroll --planned', () => {
  const fleet = [
    { id: 'lane-1', store: 'berlin' },
    { id: 'lane-2', store: 'berlin', identity: { state: 'enrolled' } },
    { id: 'lane-3', store: 'munich', identity: { state: 'new' } },
    { id: 'lane-4', store: 'munich', identity: { state: 'revoked' } },
  ];

  it('makes tokens for those that have no certificate yet, and only for them', async () => {
    const bodies: unknown[] = [];
    const answer = (_: string, body: unknown) => {
      bodies.push(body);
      return { ok: true, value: { tokens: [made('lane-1')] } };
    };
    const out = (name: string) => join(folder(), name);
    const { context } = open(answer, false, fleet);
    const planned = { ...wish, planned: true };
    expect(await runEnroll(context, { ...planned, out: out('all.csv') })).toEqual({ exit: 0 });
    const munich = { ...planned, store: 'munich', out: out('munich.csv') };
    expect(await runEnroll(context, munich)).toEqual({ exit: 0 });
    expect(bodies).toMatchObject([
      { terminals: [{ terminal: 'lane-1' }, { terminal: 'lane-3' }] },
      { terminals: [{ terminal: 'lane-3' }] },
    ]);
    const nobody = await runEnroll(context, { ...planned, store: 'paris', out: out('paris.csv') });
    expect(nobody).toMatchObject({
      ...{ exit: 1, sentence: 'no planned terminal in paris waits for a certificate' },
    });
    expect(await runEnroll(context, { ...planned, file: 'a.csv' })).toMatchObject({ exit: 64 });
  });
});

describe('tillwatch terminal suspend and the others', () => {
  it('say what is so from now on', async () => {
    const { context, lines, asked } = open(() => ({ ok: true, value: {} }));
    const act = { act: 'suspend', terminal: 'lane-1', reason: 'T-512: lost' } as const;
    expect(await runIdentityAct(context, act)).toEqual({ exit: 0 });
    expect(asked).toEqual(['/api/v1/terminals/lane-1/suspend']);
    expect(lines).toEqual([expect.stringContaining('lane-1 is suspended')]);
  });

  it('need a reason, and names that can be', async () => {
    const { context, asked } = open(() => undefined);
    const act = { act: 'move', terminal: 'lane-1', store: 'munich', reason: 'lent' } as const;
    const wrong = [
      { ...act, reason: '' },
      { ...act, terminal: 'Lane' },
      { ...act, store: 'No store' },
    ];
    for (const one of wrong) expect((await runIdentityAct(context, one)).exit).toBe(64);
    expect(asked).toEqual([]);
  });
});

describe('who a terminal is, in words', () => {
  const known = { state: 'enrolled', by: 'ann', reason: 'lost', sinceMs: NOW - HOUR } as const;
  const words = (more: object) => identityWords({ id: 'a', identity: { ...known, ...more } }, NOW);

  it('is not said when all is well', () => {
    expect(identityWords({ id: 'a' }, NOW)).toEqual([]);
    expect(words({ expiresMs: NOW + 60 * 24 * HOUR })).toEqual([]);
    expect(identityWord({ id: 'a', identity: known })).toBeUndefined();
  });

  it('says what somebody has to know', () => {
    expect(words({ state: 'suspended' })[0]).toMatch(/^suspended for .* by ann: lost$/);
    expect(words({ expiresMs: NOW + HOUR })[0]).toContain('was not renewed yet');
    expect(words({ expiresMs: NOW - HOUR })[0]).toContain('ended');
    const twin = { sign: 'machine', sinceMs: NOW, sentence: 'on another machine' };
    expect(words({ twin })[0]).toMatch(/^two machines with one identity\? on another machine/);
    expect(words({ twin, state: 'retired' })).toEqual([expect.stringContaining('retired')]);
    expect(identityWord({ id: 'a', identity: { ...known, twin } })).toBe('twin');
  });
});
