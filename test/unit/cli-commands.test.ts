// The verbs that are made from the catalogue: which there are, what they ask the broker for, and what they refuse to
// ask.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Client } from '../../cli/client.ts';
import { readArguments } from '../../cli/command-fields.ts';
import type { Context } from '../../cli/context.ts';
import { plainStyle } from '../../cli/screen.ts';
import { createProgram } from '../../cli/tillwatch.ts';
import { runCommand } from '../../cli/verbs/command.ts';
import { runCancel, runCommands } from '../../cli/verbs/commands.ts';
import { runDiagnose } from '../../cli/verbs/diagnose.ts';
import { COMMAND_KINDS, catalogue } from '../../protocol/catalogue.ts';
import { tillwatch } from './cli-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-cli-commands-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());
const NOW = Date.UTC(2026, 10, 23, 12);
const LOST = { ok: false as const, exit: 69 as const, sentence: 'does not answer' };

/** A broker that answers from a list. */
function world(answers: unknown[], json = false) {
  const lines: string[] = [];
  const asked: { what: string; headers: unknown }[] = [];
  const next = (what: string, headers?: unknown) => {
    asked.push({ what, headers });
    const answer = answers.shift();
    return Promise.resolve(answer === LOST ? LOST : { ok: true as const, value: answer as never });
  };
  const client: Client = {
    url: 'http://broker',
    get: (path) => next(`GET ${path}`),
    post: (path, body, headers) => next(`POST ${path} ${JSON.stringify(body)}`, headers),
    remove: (path) => next(`DELETE ${path}`),
    bytes: (path) => next(`GET ${path}`),
  };
  const context: Context = {
    print: (line) => lines.push(line),
    ...{ style: plainStyle, client, nowMs: () => NOW, sleep: () => Promise.resolve(), json },
  };
  return { context, lines, asked };
}

describe('the verbs', () => {
  it('are all kinds of the catalogue that an operator may ask for', () => {
    const verbs = createProgram(() => Promise.resolve()).commands.map((one) => one.name());
    for (const kind of COMMAND_KINDS) {
      const verb = kind.replaceAll('_', '-');
      // Nobody asks for trust; live tails and their end are `logs --follow` and `requests --cancel`, and
      // versions of the configuration are `config apply`.
      const isVerb = !['trust', 'tail', 'cancel_logs', 'apply'].includes(kind);
      expect(verbs.includes(verb), kind).toBe(isVerb);
    }
  });

  const elsewhere = ['logs', 'tail', 'cancel_logs', 'drill', 'hold', 'trust', 'apply'];
  it.each(COMMAND_KINDS.filter((kind) => !elsewhere.includes(kind)))(
    '%s says what it does, which role it needs and what it does to a sale',
    async (kind) => {
      const { out } = await tillwatch(kind.replaceAll('_', '-'), '--help');
      const text = out.replaceAll(/\s+/g, ' ');
      const { what, role, sale, stopsSelling } = catalogue[kind];
      expect(text).toContain(what);
      expect(text).toContain(`It needs the role ${role}.`);
      expect(text).toContain(sale === 'waits' ? 'until no sale is open' : 'No sale notices it');
      expect(text.includes('may not be able to sell')).toBe(stopsSelling);
      const canForce = 'force' in catalogue[kind].arguments.entries;
      expect(out.includes('--force')).toBe(canForce);
      if (canForce) expect(text).toContain('is lost');
    },
  );

  it.each([
    [['reboot', 'bm-lane-1'], 'say why with --reason'],
    [['restart', '../x', 'sync', '--reason', 'why'], 'is not a terminal id'],
    [['restart', 'bm-lane-1', '../sync', '--reason', 'why'], 'is not a component id'],
    [['log-level', 'bm-lane-1', 'sale', 'debug', '--reason', 'why'], 'say --for <time>'],
    [['log-level', 'bm-lane-1', 'sale', 'dbug', '--for', '5m', '--reason', 'x'], 'debug?'],
    [['hold', 'bm-lane-1', '--reason', 'why'], 'say --for <time>'],
    [['hold', 'bm-lane-1', '--for', '5h', '--reason', 'why'], '1m to 4h'],
    [['hold', 'bm-lane-1', '--for', '5m', '--release', '--reason', 'why'], 'not both'],
    [['hold', 'bm-lane-1', '--for', '5m', '--run-dir', '/x'], 'without --run-dir'],
    [['configure', 'bm-lane-1', '--file', join(folder, 'none'), '--reason', 'x'], 'cannot read'],
    [['purge-logs', 'bm-lane-1', '--before', 'soon', '--reason', 'why'], 'is no time'],
    [['cancel', 'x', '--reason', 'why'], 'is no id of a command'],
  ])('refuses %j before anything is asked', async (argv, sentence) => {
    const { exit, err } = await tillwatch(...argv);
    expect(err).toContain(sentence);
    expect(exit).toBe(64);
  });
});

describe('what is typed', () => {
  const yaml = join(folder, 'a.yaml');
  writeFileSync(yaml, 'sampleMs: 5000\n');
  const sha256 = createHash('sha256').update('sampleMs: 5000\n').digest('hex');

  it.each([
    ['restart', ['sale'], { force: true }, { component: 'sale', force: true }],
    ['restart_all', [], {}, {}],
    ['probe', [], {}, {}],
    ['probe', ['sale'], {}, { component: 'sale' }],
    ['reopen', ['hardware', 'printer'], {}, { component: 'hardware', device: 'printer' }],
    [
      'log_level',
      ['agent', 'debug'],
      { for: '30m' },
      { component: 'agent', level: 'debug', forMs: 1_800_000 },
    ],
    ['hold', [], { for: '30m' }, { forMs: 1_800_000 }],
    [
      'purge_logs',
      ['sale'],
      { before: '7d' },
      { component: 'sale', beforeMs: NOW - 7 * 86_400_000 },
    ],
    ['configure', [], { file: yaml }, { yaml: 'sampleMs: 5000\n', sha256 }],
  ] as const)('for %s %j %j becomes %j', (kind, words, options, args) => {
    expect(readArguments(kind, words, options, NOW)).toEqual({ ok: true, value: args });
  });
});

describe('a command that is asked for', () => {
  const reboot = {
    ...{ kind: 'reboot' as const, terminal: 'bm-lane-1', arguments: { force: true } },
    ...{ reason: 'why', wait: true },
  };
  const ended = (state: string, reason = '', detail = {}) => ({
    ...{ id: 'c1', terminal: 'bm-lane-1', state, reason: 'why' },
    history: [{ state, timeMs: NOW, reason, detail }],
  });

  it('is asked for once more with the same key when no answer came', async () => {
    const { context, asked } = world([LOST, { id: 'c1', state: 'sent' }, ended('succeeded')]);
    expect(await runCommand(context, reboot)).toEqual({ exit: 0 });
    expect(asked[0]?.what).toBe(
      'POST /api/v1/terminals/bm-lane-1/commands ' +
        '{"kind":"reboot","arguments":{"force":true},"reason":"why"}',
    );
    expect(asked[1]).toEqual(asked[0]);
    expect(asked[0]?.headers).toMatchObject({
      'idempotency-key': expect.stringMatching(/^\S{36}$/),
    });
  });

  it('shows what the terminal told, and why it failed', async () => {
    const { context, lines } = world([
      { id: 'c1', state: 'sent' },
      ended('failed', 'one reboot an hour', { next: '14:30' }),
    ]);
    expect(await runCommand(context, reboot)).toEqual({
      ...{ exit: 1, sentence: 'the reboot failed: one reboot an hour' },
    });
    expect(lines[0]).toBe('reboot of bm-lane-1, command c1');
    expect(lines).toContain('  next: 14:30');
  });

  it('is listed, and taken back', async () => {
    const view = {
      ...ended('pending'),
      ...{ kind: 'log_level', operator: 'kim', issuedMs: NOW },
      arguments: { component: 'sale', level: 'debug' },
    };
    const { context, lines, asked } = world([
      { commands: [view] },
      { id: 'c1', state: 'cancelled' },
    ]);
    await runCommands(context, { terminal: 'bm-lane-1', state: undefined, limit: '5' });
    expect(lines[1]).toMatch(/bm-lane-1 +log-level sale debug +pending +kim +c1 +why$/);
    const id = '2f1d7c4e-8f0a-4a5e-9d3b-0c1b2a394857';
    expect(await runCancel(context, id, 'wrong till')).toEqual({ exit: 0 });
    expect(asked.map(({ what }) => what)).toEqual([
      'GET /api/v1/commands?limit=5&terminal=bm-lane-1',
      `DELETE /api/v1/commands/${id}?reason=wrong%20till`,
    ]);
  });
});

describe('a diagnosis', () => {
  it('is asked for, waited for and written to a file that only its owner reads', async () => {
    const out = join(folder, 'd.json');
    const view = { id: 'r1', terminal: 'bm-lane-1', connected: false, error: '' };
    const { context, lines } = world([
      { id: 'r1' },
      { ...view, state: 'waiting' },
      { ...view, state: 'waiting' },
      { ...view, state: 'complete', connected: true },
      Buffer.from('{"a":1}'),
    ]);
    const wish = { terminal: 'bm-lane-1', reason: 'why', out, wait: true };
    expect(await runDiagnose(context, wish)).toEqual({ exit: 0 });
    expect(readFileSync(out, 'utf8')).toBe('{"a":1}');
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(lines).toEqual([
      'diagnosis of bm-lane-1, request r1',
      'waiting, bm-lane-1 is not connected',
      `0.0 kB in ${out}`,
    ]);
  });

  it('that failed says why; without a file the document goes to the output', async () => {
    const failed = world([{ id: 'r1' }, { id: 'r1', state: 'failed', error: 'no room' }]);
    const wish = { terminal: 'bm-lane-1', reason: 'why', out: undefined, wait: true };
    expect(await runDiagnose(failed.context, wish)).toEqual({
      ...{ exit: 1, sentence: 'the diagnosis failed: no room' },
    });
    const good = world([{ id: 'r1' }, { id: 'r1', state: 'complete' }, Buffer.from('{}\n')]);
    expect(await runDiagnose(good.context, wish)).toEqual({ exit: 0 });
    expect(good.lines).toEqual(['{}']);
  });
});
