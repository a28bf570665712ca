// Wrong use is told in a sentence with exit 64; nothing is asked of a broker before the arguments are good.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { COLUMNS } from '../../broker/stores/csv.ts';
import type { Client } from '../../cli/client.ts';
import { COMPLETE } from '../../cli/completion/verb.ts';
import type { Context } from '../../cli/context.ts';
import { EXIT, EXIT_MEANINGS } from '../../cli/exit.ts';
import { GROUPS } from '../../cli/help-groups.ts';
import { findOperator } from '../../cli/operator.ts';
import { plainStyle } from '../../cli/screen.ts';
import { createProgram, run } from '../../cli/tillwatch.ts';
import { runCommand } from '../../cli/verbs/command.ts';
import { runTerminal } from '../../cli/verbs/terminal.ts';

afterEach(() => vi.restoreAllMocks());

/** Runs the command line in this process and gathers what it wrote. */
async function tillwatch(...argv: string[]): Promise<{ exit: number; out: string; err: string }> {
  const wrote = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    wrote.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    wrote.err += String(text);
    return true;
  });
  const exit = await run(argv);
  return { exit, ...wrote };
}

/** A broker that answers from a list and remembers what it was asked. */
function fakeContext(answers: unknown[], json = false) {
  const lines: string[] = [];
  const asked: string[] = [];
  let now = 0;
  const next = (what: string) => {
    asked.push(what);
    return Promise.resolve({ ok: true as const, value: answers.shift() as never });
  };
  const client: Client = {
    url: 'http://broker',
    get: (path) => next(`GET ${path}`),
    post: (path, body) => next(`POST ${path} ${JSON.stringify(body)}`),
    remove: (path) => next(`DELETE ${path}`),
    bytes: (path) => next(`GET ${path}`),
  };
  const sleep = (ms: number) => {
    now += ms;
    return Promise.resolve();
  };
  const context: Context = {
    print: (line) => lines.push(line),
    style: plainStyle,
    client,
    nowMs: () => now,
    sleep,
    json,
  };
  return { context, lines, asked };
}

describe('the command line', () => {
  it('shows an example for every verb, in 80 columns', async () => {
    const verbs = createProgram(() => Promise.resolve()).commands.map((one) => one.name());
    expect(verbs).toContain('events');
    for (const verb of ['', ...verbs]) {
      const { exit, out } = await tillwatch(...(verb === '' ? [] : [verb]), '--help');
      expect([verb, exit]).toEqual([verb, 0]);
      if (verb !== '') expect(out).toMatch(/Examples?:\n {2}\$ /);
      if (verb !== '' && verb !== 'completion') expect(out).toContain('--json');
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    }
  });

  it('lists every verb under one heading, in the order of the groups', async () => {
    const program = createProgram(() => Promise.resolve());
    const verbs = program.commands.map((one) => one.name()).filter((name) => name !== COMPLETE);
    expect(GROUPS.flatMap(([, names]) => names).toSorted()).toEqual([...verbs, 'help'].toSorted());
    const { out } = await tillwatch('--help');
    const headings = out.split('\n').filter((line) => GROUPS.some(([heading]) => heading === line));
    expect(headings).toEqual(GROUPS.map(([heading]) => heading));
    expect(out).not.toContain('\nCommands:\n');
  });

  it('keeps the help of what is below a verb in 80 columns', async () => {
    const below = createProgram(() => Promise.resolve()).commands.flatMap((one) =>
      one.commands.flatMap((two) => [
        [one.name(), two.name()],
        ...two.commands.map((three) => [one.name(), two.name(), three.name()]),
      ]),
    );
    expect(below).toContainEqual(['maintenance', 'window', 'add']);
    const long: string[] = [];
    for (const words of below) {
      const { exit, out } = await tillwatch(...words, '--help');
      expect([words, exit]).toEqual([words, 0]);
      long.push(...out.split('\n').filter((line) => line.length > 80));
    }
    expect(long).toEqual([]);
  });

  it('says which of two verbs that seem the same is meant', async () => {
    for (const [verb, ...others] of [
      ['configure', 'config apply'],
      ['config', 'configure'],
      ['hold', 'maintenance'],
      ['maintenance', 'hold'],
      ['enroll', 'join'],
      ['join', 'agent --enroll'],
      ['check-config', 'config check'],
    ]) {
      const { out } = await tillwatch(verb ?? '', '--help');
      for (const other of others) expect(out).toContain(`tillwatch ${other}`);
    }
  });

  it('names the columns of a table of stores', async () => {
    const { out } = await tillwatch('stores', 'apply', '--help');
    const days = ['tue', 'wed', 'thu', 'fri', 'sat'];
    for (const column of COLUMNS.filter((one) => !days.includes(one)))
      expect(out).toContain(column);
  });

  it('documents its exit codes, and README has the same', async () => {
    const { out } = await tillwatch('--help');
    const readme = readFileSync('README.md', 'utf8');
    for (const [name, code] of Object.entries(EXIT)) {
      const meaning = EXIT_MEANINGS[name as keyof typeof EXIT];
      expect(out).toMatch(new RegExp(`^ {2}${code} +${meaning}$`, 'm'));
      expect(readme).toContain(`| ${code} | ${meaning} |`);
    }
  });

  it.each([
    [['fleat'], 'Did you mean fleet?'],
    [['terminals', 'bm-lane-1'], 'Did you mean terminal?'],
    [['fleet', '--jsn'], 'Did you mean --json?'],
    [['restart', 'bm-lane-1', 'sync', '--resaon', 'x'], 'Did you mean --reason?'],
  ])('has the nearest right word for %j', async (argv, question) => {
    const { exit, err } = await tillwatch(...argv);
    expect(err).toContain(question);
    expect(exit).toBe(64);
  });

  it.each([
    [['nonsense'], "unknown command 'nonsense'"],
    [['fleet', '--nonsense'], "unknown option '--nonsense'"],
    [['terminal'], "missing required argument 'id'"],
    [['agent'], "required option '--config <file>' not specified"],
    [['restart', 'bm-lane-1', 'sync'], 'say why with --reason'],
    [['terminal', 'Lane 1'], '"Lane 1" is not a terminal id'],
    [['restart', 'bm-lane-1', 'sync', '--reason', ' '], 'say why with --reason'],
  ])('refuses %j with a sentence and exit 64', async (argv, sentence) => {
    const { exit, out, err } = await tillwatch(...argv);
    expect(err).toContain(`tillwatch: ${sentence}`);
    expect(out).toBe('');
    expect(exit).toBe(64);
  });
});

/** What is typed as `restart bm-lane-1 COMPONENT --reason why`. */
const restartOf = (terminal: string, component = 'sync') => ({
  ...{ kind: 'restart' as const, terminal, arguments: { component }, reason: 'why', wait: true },
});

describe('a restart', () => {
  const history = (...states: string[]) => states.map((state, at) => ({ state, timeMs: at }));

  it('shows each state once, in order, and ends well with the last', async () => {
    const { context, lines, asked } = fakeContext([
      { id: 'c1', state: 'pending' },
      { id: 'c1', state: 'pending', history: history('pending') },
      { id: 'c1', state: 'running', history: history('pending', 'accepted', 'running') },
      {
        id: 'c1',
        state: 'succeeded',
        history: history('pending', 'accepted', 'running', 'succeeded'),
      },
    ]);
    const outcome = await runCommand(context, restartOf('bm-lane-1'));
    expect(outcome).toEqual({ exit: 0 });
    expect(asked[0]).toBe(
      'POST /api/v1/terminals/bm-lane-1/commands ' +
        '{"kind":"restart","arguments":{"component":"sync"},"reason":"why"}',
    );
    expect(lines.slice(1)).toEqual([
      '    0.00 s  pending',
      '    0.15 s  accepted',
      '    0.15 s  running',
      '    0.30 s  succeeded',
    ]);
  });

  it('that fails ends with exit 1 and the terminal’s reason', async () => {
    const { context } = fakeContext([
      { id: 'c1', state: 'pending' },
      {
        // Why it was asked for, which is not why it failed.
        ...{ id: 'c1', state: 'rejected', reason: 'why' },
        history: [{ state: 'rejected', timeMs: 0, reason: 'no such component' }],
      },
    ]);
    const outcome = await runCommand(context, restartOf('bm-lane-1'));
    expect(outcome).toEqual({ exit: 1, sentence: 'the restart was rejected: no such component' });
  });

  it('asks nothing when an id is not one', async () => {
    const { context, asked } = fakeContext([]);
    await runCommand(context, restartOf('../lane'));
    await runTerminal(context, 'a/b');
    expect(asked).toEqual([]);
  });
});

/** Whoever runs this may have signed in somewhere. */
const HOMELESS = { XDG_CONFIG_HOME: '/nowhere' };

describe('the operator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-cli-'));
  const inner = join(folder, 'a', 'b');
  mkdirSync(inner, { recursive: true });
  mkdirSync(join(folder, '.tillwatch'));
  const file = { url: 'http://127.0.0.1:8081', token: 'secret' };
  writeFileSync(join(folder, '.tillwatch', 'operator.json'), JSON.stringify(file));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is found in the folder of a demo and below it', () => {
    expect(findOperator({}, inner)).toEqual({ ok: true, value: file });
  });

  it('of the environment goes first, and the demo’s token goes to no other broker', () => {
    const other = { TILLWATCH_URL: 'http://127.0.0.1:9999/' };
    expect(findOperator(other, inner)).toEqual({
      ok: true,
      value: { url: 'http://127.0.0.1:9999', token: undefined },
    });
    expect(findOperator({ TILLWATCH_API_TOKEN: 'mine' }, inner)).toMatchObject({
      value: { url: file.url, token: 'mine' },
    });
  });

  it('has the default address when nothing is said', () => {
    const nowhere = findOperator(HOMELESS, '/');
    expect(nowhere).toEqual({
      ok: true,
      value: { url: 'http://127.0.0.1:8080', token: undefined },
    });
  });

  it('is refused with a token that none can be, and takes one with a line end', () => {
    expect(findOperator({ ...HOMELESS, TILLWATCH_API_TOKEN: 'a\u00fcb' }, '/').ok).toBe(false);
    expect(findOperator({ ...HOMELESS, TILLWATCH_API_TOKEN: 'a b' }, '/').ok).toBe(false);
    expect(findOperator({ ...HOMELESS, TILLWATCH_API_TOKEN: 'ab\r\n' }, '/')).toMatchObject({
      value: { token: 'ab' },
    });
  });

  it('is refused with an address that is none', () => {
    expect(findOperator({ TILLWATCH_URL: 'http://me:secret@127.0.0.1' }, '/').ok).toBe(false);
    expect(findOperator({ TILLWATCH_URL: 'localhost' }, '/').ok).toBe(false);
    expect(findOperator({ TILLWATCH_URL: 'ftp://x' }, '/').ok).toBe(false);
  });
});
