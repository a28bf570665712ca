// What watchdogs in observe would have done, from the terminals' events to the lines that the on-call reads.

import { describe, expect, it } from 'vitest';
import type { Client } from '../../cli/client.ts';
import type { Context } from '../../cli/context.ts';
import { eventWords } from '../../cli/event-lines.ts';
import { plainStyle } from '../../cli/screen.ts';
import { runWouldHaveActed } from '../../cli/verbs/would-have-acted.ts';
import { EVENT_KINDS } from '../../protocol/events.ts';
import { happened, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';

const suppressed = (timeMs: number, component: string, more: object = {}) =>
  happened(timeMs, {
    kind: 'recovery_suppressed',
    component,
    fields: {
      incident: `i-${timeMs}`,
      rung: 'restart',
      cause: 'hang',
      reason: 'main thread is blocked: no beat for 2.0 s and it is asleep without waking',
      version: '2.4.1',
      by: 'observe',
      ...more,
    },
  });

const PATH = '/api/v1/reports/would-have-acted';

async function asked(query = `?since=${START_MS - 1}`) {
  const back = await open();
  back.terminals.events(
    'lane-1',
    suppressed(START_MS, 'sale'),
    suppressed(START_MS + 60_000, 'sale'),
  );
  back.terminals.events('lane-2', suppressed(START_MS + 30_000, 'sale', { reason: 'older' }));
  back.terminals.events(
    'lane-2',
    suppressed(START_MS + 5, 'sync', { cause: 'stalled', by: 'hold' }),
  );
  back.fleet.drain();
  return (await back.get(`${PATH}${query}`)).json();
}

describe('what would have been done', () => {
  it('is summed up by decision, with the terminals it was on and the last reason', async () => {
    const report = await asked();
    expect(report).toMatchObject({ total: 4, complete: true });
    expect(report.groups).toMatchObject([
      {
        ...{ component: 'sale', cause: 'hang', rung: 'restart', by: 'observe', version: '2.4.1' },
        ...{ count: 3, terminals: 2, terminal: 'lane-1' },
        ...{ firstMs: START_MS, lastMs: START_MS + 60_000 },
        reason: expect.stringContaining('asleep without waking'),
      },
      { component: 'sync', cause: 'stalled', by: 'hold', count: 1 },
    ]);
  });

  it('is asked for by time, terminal and component', async () => {
    const since = await asked(`?since=${START_MS + 40_000}`);
    expect(since.total).toBe(1);
    const one = await asked(`?since=0&terminal=lane-2&component=sync`);
    expect(one.groups).toMatchObject([{ component: 'sync', count: 1 }]);
  });

  it('is read to its end, whatever a page holds', async () => {
    const back = await open();
    const many = Array.from({ length: 600 }, (_, at) => suppressed(START_MS + at, 'sale'));
    for (let from = 0; from < 600; from += 100) {
      back.terminals.events('lane-1', ...many.slice(from, from + 100));
    }
    back.fleet.drain();
    const report = (await back.get(`${PATH}?since=0`)).json();
    expect(report).toMatchObject({ total: 600, complete: true, groups: [{ count: 600 }] });
  });

  it('refuses a time that is none, with a sentence', async () => {
    expect(await asked('?since=soon')).toMatchObject({ status: 400, detail: expect.any(String) });
  });
});

describe('tillwatch report would-have-acted', () => {
  const run = async (report: unknown, since = '7d') => {
    const lines: string[] = [];
    const paths: string[] = [];
    const get = (path: string) => {
      paths.push(path);
      return Promise.resolve({ ok: true, value: report });
    };
    const context = {
      print: (line: string) => lines.push(line),
      style: plainStyle,
      client: { get } as unknown as Client,
      nowMs: () => START_MS + 120_000,
      sleep: () => Promise.resolve(),
      json: false,
    } as unknown as Context;
    const outcome = await runWouldHaveActed(context, { since });
    return { lines, paths, outcome };
  };

  it('tells each decision, where it was last, and why', async () => {
    const { lines } = await run(await asked());
    expect(lines.join('\n')).toContain('sale 2.4.1: would have been restarted, hang, 3 times');
    expect(lines.join('\n')).toContain('on 2 terminals, last on lane-1');
    expect(lines.at(-1)).toBe('4 decisions that nobody felt');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('says so when there is nothing', async () => {
    const { lines } = await run({ groups: [], total: 0, complete: true });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('Nothing');
  });

  it('asks from a time that was meant, and refuses one that cannot be', async () => {
    expect((await run(await asked(), '2d')).paths[0]).toContain(
      `since=${START_MS + 120_000 - 172_800_000}`,
    );
    expect((await run(await asked(), 'soon')).outcome).toMatchObject({ exit: 64 });
  });
});

it('every kind of event has words of its own', () => {
  for (const kind of EVENT_KINDS) {
    const fields = { reason: 'because', cause: 'hang' };
    expect([kind, eventWords({ kind, fields })]).not.toEqual([kind, 'reason=because cause=hang']);
  }
});
