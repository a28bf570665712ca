import { expect, it } from 'vitest';
import { plainStyle } from '../../cli/screen.ts';
import { type HistoryView, historyLines, runHistory } from '../../cli/verbs/history.ts';

const view = (more: Partial<HistoryView> = {}): HistoryView => ({
  ...{ terminal: 'lane-1', name: 'pos_host_load1', sinceMs: 0, untilMs: 79, more: false },
  series: [
    {
      labels: {},
      points: [
        [0, 0],
        [10, 1],
        [20, 2],
        [30, 3.5],
        [31, 1],
        [50, 7],
        [60, 'NaN'],
        [70, 7],
      ],
    },
  ],
  ...more,
});

it('draws how a metric went, with gaps where nothing was measured', () => {
  expect(historyLines(view(), 10)).toEqual([
    'pos_host_load1 of lane-1, the last 0.1 s',
    'min 0, max 7, last 7',
    '  ▁▂▃▅ █ █',
  ]);
});

it('says so when nothing is kept, when all is one value, and when there is more', () => {
  expect(historyLines(view({ series: [] }), 40)[1]).toBe('  nothing of it is kept');
  const series = [
    {
      labels: { component: 'sale\u001b' },
      points: [
        [0, 5],
        [79, 5],
      ] as const,
    },
  ];
  expect(historyLines(view({ series, more: true }), 12).slice(1)).toEqual([
    'component=sale  min 5, max 5, last 5',
    '  ▁        ▁',
    expect.stringContaining('more series'),
  ]);
});

it('asks for as many points as fit, and refuses what is no metric or no time', async () => {
  const asked: string[] = [];
  const printed: string[] = [];
  const context = {
    print: (line: string) => printed.push(line),
    style: plainStyle,
    client: {
      url: '',
      get: <T>(path: string) => {
        asked.push(path);
        return Promise.resolve({ ok: true as const, value: view() as T });
      },
      post: () => Promise.reject(new Error('never')),
      remove: () => Promise.reject(new Error('never')),
      bytes: () => Promise.reject(new Error('never')),
    },
    nowMs: () => 86_400_000,
    sleep: () => Promise.resolve(),
    json: false,
  };
  const ask = { name: 'pos_host_load1', since: '6h' };
  expect((await runHistory(context, 'lane-1', ask)).exit).toBe(0);
  expect(asked[0]).toBe(
    '/api/v1/terminals/lane-1/history?name=pos_host_load1&by=max&points=78&since=64800000&until=86400000',
  );
  expect(printed[0]).toContain('pos_host_load1 of lane-1');
  for (const wrong of [
    { ...ask, name: 'a b' },
    { ...ask, since: 'soon' },
  ]) {
    expect((await runHistory(context, 'lane-1', wrong)).exit).toBe(64);
  }
  expect(asked).toHaveLength(1);
});
