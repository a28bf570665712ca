// Whether work waits and completes, read from a component's own metrics, and what is never concluded.

import { describe, expect, it } from 'vitest';
import { parseExposition } from '../../agent/telemetry/exposition.ts';
import {
  type ProgressSpec,
  type ProgressTold,
  progressEveryMs,
  readProgress,
  startProgress,
} from '../../agent/watchdog/progress.ts';
import { ok, type Result } from '../../protocol/result.ts';

const spec: ProgressSpec = {
  waiting: { metric: 'queue_length', labels: {} },
  completed: { metric: 'jobs_total', labels: { result: 'ok' } },
  unless: { metric: 'uplink_up', labels: {} },
  stalledMs: 16_000,
};
const page = (text: string) => parseExposition(text).samples;
const METRICS = `
queue_length{lane="a"} 3
queue_length{lane="b"} 4
jobs_total{result="ok",kind="x"} 10
jobs_total{result="ok",kind="y"} 1
jobs_total{result="failed"} 99
uplink_up 1
`;

describe('progress', () => {
  it('is the sum over the series that match', () => {
    const read = readProgress(page(METRICS), spec);
    expect(read).toEqual({ waiting: 7, completed: 11, remoteDown: false });
    const down = page(METRICS.replace('uplink_up 1', 'uplink_up 0'));
    expect(readProgress(down, spec)).toMatchObject({ remoteDown: true });
  });

  it('names what is not among the metrics instead of guessing it', () => {
    for (const metric of ['queue_length', 'jobs_total', 'uplink_up']) {
      const less = METRICS.replaceAll(metric, 'other');
      expect(readProgress(page(less), spec)).toEqual({ missing: metric });
    }
    const { unless: _, ...without } = spec;
    const read = readProgress(page(METRICS.replace('uplink_up', 'other')), without);
    expect(read).toMatchObject({ remoteDown: false });
    const nan = METRICS.replace('queue_length{lane="a"} 3', 'queue_length{lane="a"} NaN');
    expect(readProgress(page(nan), spec)).toEqual({ missing: 'queue_length' });
  });

  it('is asked for eight times within its deadline, within bounds', () => {
    const every = [1_000, 16_000, 86_400_000].map((stalledMs) =>
      progressEveryMs({ ...spec, stalledMs }),
    );
    expect(every).toEqual([1_000, 2_000, 15_000]);
  });
});

describe('asking for progress', () => {
  function rig() {
    let tick = (): void => undefined;
    const answers: ((body: Result<string>) => void)[] = [];
    const seen: ProgressTold[] = [];
    const warnings: unknown[] = [];
    const state: { url?: string } = { url: 'http://127.0.0.1:1/metrics' };
    const log = {
      info: () => undefined,
      warn: (_: string, fields?: object) => warnings.push(fields),
      error: () => undefined,
    };
    const timers = {
      after: () => () => undefined,
      every: (_: number, run: () => void) => {
        tick = run;
        return () => {
          tick = () => undefined;
        };
      },
    };
    const fetch = () => new Promise<Result<string>>((done) => answers.push(done));
    const asking = startProgress(
      spec,
      { timers, log, fetch },
      () => state.url,
      (t) => seen.push(t),
    );
    const answer = async (body: Result<string>): Promise<void> => {
      answers.shift()?.(body);
      await Promise.resolve();
      await Promise.resolve();
    };
    return { tick: () => tick(), answer, answers, seen, warnings, state, asking };
  }

  it('asks one question at a time and tells the answer', async () => {
    const { tick, answer, answers, seen } = rig();
    tick();
    tick();
    expect(answers).toHaveLength(1);
    await answer(ok(METRICS));
    expect(seen).toEqual([{ waiting: 7, completed: 11, remoteDown: false }]);
    tick();
    expect(answers).toHaveLength(1);
  });

  it('says once that it cannot be read, and tells nothing', async () => {
    const { tick, answer, seen, warnings } = rig();
    for (let n = 0; n < 3; n += 1) {
      tick();
      await answer({ ok: false, reason: 'no metrics: ECONNREFUSED' });
    }
    tick();
    await answer(ok('other 1\n'));
    expect(seen).toEqual([]);
    expect(warnings).toEqual([
      { reason: 'no metrics: ECONNREFUSED' },
      { reason: 'queue_length is not among its metrics' },
    ]);
  });

  it('waits until the component has said where its metrics are', () => {
    const { tick, answers, state } = rig();
    const { url } = state;
    delete state.url;
    tick();
    expect(answers).toHaveLength(0);
    if (url !== undefined) state.url = url;
    tick();
    expect(answers).toHaveLength(1);
  });

  it('throws away what was asked before the agent itself was away, or before it was stopped', async () => {
    const { tick, answer, seen, asking } = rig();
    tick();
    asking.dropInFlight();
    await answer(ok(METRICS));
    tick();
    asking.stop();
    await answer(ok(METRICS));
    expect(seen).toEqual([]);
  });
});
