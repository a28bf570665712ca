import { describe, expect, it } from 'vitest';
import { historyRig, load, START_MS } from './history-rig.ts';
import { open } from './http-rig.ts';

const HISTORY = '/api/v1/terminals/lane-1/history';

async function rigged(answers = true) {
  const past = historyRig();
  past.terminals.metrics('lane-1', load(START_MS - 60_000, 0.5), load(START_MS, Number.NaN));
  past.pass(0);
  const reason = 'the history does not answer just now; try again';
  const ask = (query: Parameters<typeof past.ask>[0]) =>
    Promise.resolve(
      answers ? { ok: true as const, value: past.ask(query) } : { ok: false as const, reason },
    );
  return await open({}, undefined, { ask });
}

describe('the past of a terminal over HTTP', () => {
  it('is of a day up to now unless the question says otherwise', async () => {
    const { get } = await rigged();
    const reply = await get(`${HISTORY}?name=pos_host_load1`);
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toEqual({
      terminal: 'lane-1',
      name: 'pos_host_load1',
      sinceMs: START_MS - 24 * 3_600_000,
      untilMs: START_MS,
      stepMs: 0,
      by: 'last',
      series: [
        {
          labels: {},
          points: [
            [START_MS - 60_000, 0.5],
            [START_MS, 'NaN'],
          ],
        },
      ],
      more: false,
    });
  });

  it('takes times, a step, a reducer, points and labels', async () => {
    const { get } = await rigged();
    const query =
      'since=2026-01-01T00:00:00Z&until=1800000000000&step=60&by=max&points=11000&label=a=b=c';
    const answer = (await get(`${HISTORY}?name=pos_host_load1&${query}`)).json();
    expect(answer).toMatchObject({ by: 'max', series: [] });
    expect(answer.sinceMs).toBe(Date.parse('2026-01-01T00:00:00Z'));
  });

  it.each([
    ['', 400, 'name'],
    ['?name=1x', 400, 'name'],
    ['?name=x&since=yesterday', 400, 'since: write'],
    ['?name=x&since=5&until=4', 400, 'until: must not be before since'],
    ['?name=x&since=0&until=1800000000000', 400, 'at most 400 days'],
    ['?name=x&points=11001', 400, 'points'],
    ['?name=x&label=nonsense', 400, 'label'],
    ['?name=x&colour=blue', 400, 'colour'],
  ])('refuses %s with a sentence', async (query, status, sentence) => {
    const { get } = await rigged();
    const reply = await get(`${HISTORY}${query}`);
    expect([reply.statusCode, reply.json().detail]).toEqual([
      status,
      expect.stringContaining(sentence),
    ]);
  });

  it('is nothing of a terminal that nobody knows', async () => {
    const { get } = await rigged();
    expect((await get('/api/v1/terminals/nobody/history?name=x')).statusCode).toBe(404);
    expect((await get(`${HISTORY}?name=x`, {})).statusCode).toBe(401);
  });

  it('says so when there is no answer just now', async () => {
    const { get } = await rigged(false);
    const reply = await get(`${HISTORY}?name=x`);
    expect([reply.statusCode, reply.json().detail]).toEqual([
      503,
      expect.stringContaining('try again'),
    ]);
  });
});
