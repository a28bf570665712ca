// The verbs at the till: what a technician reads on 80 columns, what is asked of the agent, and how wrong use and an
// agent that is not there are told.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Component } from '../../agent/component.ts';
import { componentView, rungsLeft } from '../../agent/till-view.ts';
import { initialModel, step } from '../../agent/watchdog/machine.ts';
import { EXIT } from '../../cli/exit.ts';
import { plainStyle } from '../../cli/screen.ts';
import { findRunDir, type TillReply } from '../../cli/till.ts';
import type { TillContext } from '../../cli/till-verbs.ts';
import { runHold } from '../../cli/verbs/hold.ts';
import { identityLines, runStatus, statusLines } from '../../cli/verbs/status.ts';
import { parseDuration } from '../../cli/when.ts';
import type { TillAnswer } from '../../protocol/till.ts';
import { policy } from './watchdog-story.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-till-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function context(reply: TillReply<unknown>, json = false) {
  const asked: object[] = [];
  const lines: string[] = [];
  const till: TillContext = {
    print: (line) => lines.push(line),
    style: plainStyle,
    ask: (request) => {
      asked.push(request);
      return Promise.resolve(reply);
    },
    json,
  };
  return { till, asked, lines };
}

const view: TillAnswer = {
  terminal: 'bm-lane-1',
  agent: '0.2.0',
  pid: 812,
  upMs: 4 * 3_600_000,
  disk: 'read_only',
  hold: { reason: 'new printer', by: 'maria', leftMs: 28 * 60_000, untilMs: 1_800_000_000_000 },
  operation: { component: 'hardware', rung: 'dependants', phase: 'stopping' },
  components: [
    {
      ...{ name: 'hardware', version: '3.1.2', state: 'quarantined', forMs: 90_000 },
      ...{ mode: 'act', busy: false, reason: 'too many restarts in five minutes and so on' },
      incident: { id: 'i', cause: 'crash', reason: 'the process ended with exit code 1' },
      left: [
        { rung: 'restart', times: 0, of: 5 },
        { rung: 'reset', times: 1, of: 2 },
      ],
    },
    {
      ...{ name: 'sale', version: '2.4.1', state: 'ready', forMs: 5 * 3_600_000, pid: 4711 },
      ...{ mode: 'observe', busy: true, reason: 'it said\u001b[2J that it is ready' },
      left: [{ rung: 'restart', times: 5, of: 5 }],
    },
  ],
};

describe('tillwatch status', () => {
  it.each([
    [undefined, []],
    [{ state: 'plain_text', why: '' }, ['link in plain text: no certificate']],
    [
      { state: 'ready', why: '', endsInMs: 61.5 * 86_400_000, trust: 3 },
      ['enrolled; its certificate is good for another 61 days'],
    ],
    [
      { state: 'ready', why: '', endsInMs: 7_200_000 },
      ['enrolled; its certificate is good for another 2 h'],
    ],
    [
      { state: 'ready', why: '', endsInMs: -3 * 86_400_000 },
      ['enrolled; its certificate ended 3 d ago'],
    ],
    [{ state: 'none', why: 'there is\u001b[2J none' }, ['not enrolled: there is [2J none']],
  ] as const)('says whether it is one of the fleet, and for how long: %j', (identity, lines) => {
    expect(identityLines(identity, plainStyle)).toEqual(lines);
  });

  it('tells the whole till on 80 columns', () => {
    const lines = statusLines(view, plainStyle);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    const text = lines.join('\n');
    for (const part of [
      'bm-lane-1: 1 of 2 components ready',
      'agent 0.2.0, pid 812, up 4 h, disk read only',
      'held by maria for another 28 min, until ',
      'recovery: dependants for hardware, stopping',
      'hardware: open incident, crash: the process ended with exit code 1',
      'hardware: a human is needed; it is tried again slowly',
      'hardware: left of its ladder: restart 0 of 5, reset 1 of 2',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(/sale +2\.4\.1 +ready +5 h +observe +4711 +busy; it said/);
    expect(text).not.toContain('\u001b');
    // A component that is well and has used nothing needs no line of its own.
    expect(text).not.toContain('sale: left');
  });

  it('prints the answer as it came with --json, and says when it is not understood', async () => {
    const newer = { ...view, components: [{ name: 'sale', state: 'dancing' }] };
    const json = context({ ok: true, value: newer }, true);
    expect((await runStatus(json.till)).exit).toBe(EXIT.ok);
    expect(JSON.parse(json.lines.join(''))).toEqual(newer);
    const plain = context({ ok: true, value: newer });
    const outcome = await runStatus(plain.till);
    expect(outcome).toMatchObject({ exit: 69, sentence: expect.stringContaining('--json') });
    expect(plain.asked).toEqual([{ kind: 'status' }]);
  });

  it('ends with the code of what went wrong', async () => {
    const gone = { ok: false, exit: EXIT.unavailable, sentence: 'no agent listens' } as const;
    expect(await runStatus(context(gone).till)).toEqual({ exit: 69, sentence: 'no agent listens' });
  });
});

describe('tillwatch hold', () => {
  const held = { ok: true, value: view.hold } as const;

  it('asks for a time with a reason, and says until when', async () => {
    const { till, asked, lines } = context(held);
    const wish = { time: '30m', reason: 'new printer', release: false };
    expect((await runHold(till, wish)).exit).toBe(EXIT.ok);
    expect(asked[0]).toMatchObject({ kind: 'hold', forMs: 1_800_000, reason: 'new printer' });
    expect(lines[0]).toContain('held for 28 min, until ');
  });

  it('asks nothing when the command line is wrong', async () => {
    const { till, asked } = context(held);
    for (const wish of [
      { release: false },
      { time: '30m', release: true },
      ...['30', '59s', '25h', '2d', 'm', '-1m', ''].map((time) => ({ time, release: false })),
    ]) {
      expect((await runHold(till, wish)).exit, JSON.stringify(wish)).toBe(EXIT.usage);
    }
    expect(asked).toEqual([]);
  });

  it('releases, and says when there was nothing to release', async () => {
    const yes = context({ ok: true, value: { released: true } });
    await runHold(yes.till, { release: true });
    const no = context({ ok: true, value: { released: false } });
    await runHold(no.till, { release: true });
    expect([yes.lines, no.lines]).toEqual([
      ['released: the watchdog acts again'],
      ['it was not held'],
    ]);
  });

  it('takes times from a minute to a day', () => {
    const times = ['60s', '1m', '24h', '1d'].map((t) => parseDuration('--for', t, 60_000, 864e5));
    expect(times.map((time) => time.ok && time.value)).toEqual([6e4, 6e4, 864e5, 864e5]);
  });
});

describe('the run directory', () => {
  it('is found by option, configuration, environment or where packages put it', () => {
    const file = join(folder, 'agent.yaml');
    // Wrong elsewhere, which is no reason not to answer.
    writeFileSync(file, 'terminal: 7\nrunDir: run\n');
    const env = { TILLWATCH_RUN_DIR: '/run/other' };
    expect(findRunDir({ runDir: '/a', config: file }, env)).toMatchObject({ value: '/a' });
    expect(findRunDir({ config: file }, env)).toMatchObject({ value: join(folder, 'run') });
    expect(findRunDir({}, env)).toMatchObject({ value: '/run/other' });
    expect(findRunDir({}, {})).toMatchObject({ value: '/run/tillwatch' });
    expect(findRunDir({ config: join(folder, 'none') }, {})).toMatchObject({ ok: false });
    writeFileSync(file, '- runDir\n');
    expect(findRunDir({ config: file }, {}).ok).toBe(false);
  });
});

describe('what is left of the ladder', () => {
  const rungs = [{ rung: 'reset', times: 2, windowMs: 1_000, coolDownMs: 0 }] as const;
  const rule = { ...policy, canHeal: true, rungs };
  const use = { rung: 'reset', incident: 'i', cause: 'crash', signature: 's' } as const;

  it('slides with its windows, and never falls below nothing', () => {
    const model = {
      ...initialModel(rule),
      restarts: [{ at: -400_000, cause: 'crash' } as const, { at: 0, cause: 'crash' } as const],
      uses: [0, 100, 200].map((at) => ({ ...use, at })),
    };
    const left = (now: number) =>
      rungsLeft({ policy: rule, model }, now).map(({ rung, times }) => `${rung} ${times}`);
    expect(left(500)).toEqual(['heal 1', 'restart 4', 'reset 0']);
    expect(left(1_150)).toEqual(['heal 1', 'restart 4', 'reset 1']);
    expect(left(2_000)).toEqual(['heal 1', 'restart 4', 'reset 2']);
  });

  it('stands in the view of a component with its state and its reason', () => {
    const { model } = step(rule, initialModel(rule), { kind: 'start', reason: 'x' }, 1_000);
    const component = { name: 'sale', version: '1', model, policy: rule } as unknown as Component;
    expect(componentView(component, 1_500)).toMatchObject({
      ...{ name: 'sale', version: '1', state: 'starting', mode: 'act', busy: false },
      ...{ forMs: 0, reason: 'it was not started yet' },
    });
    const told = { ...component, state: { reason: 'x', at: 1_000 } } as unknown as Component;
    expect(componentView(told, 1_500)).toMatchObject({ forMs: 500, reason: 'x' });
  });
});
