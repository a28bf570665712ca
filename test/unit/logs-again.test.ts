// A request for lines or for a diagnosis that is repeated with its Idempotency-Key, because no answer came to the first.

import { describe, expect, it } from 'vitest';
import { inventory, LOGS_KEPT, open } from './http-rig.ts';

const LOGS = '/api/v1/terminals/lane-1/logs';
const DIAGNOSE = '/api/v1/terminals/lane-1/diagnose';
const KEY = { 'idempotency-key': 'press-1' };
const LINES = { components: ['sale'], sinceMs: 1, untilMs: 2, reason: 'receipts are missing' };

async function begin() {
  const rig = await open();
  rig.terminals.events('lane-1', inventory);
  rig.fleet.drain();
  return rig;
}
const idOf = (answer: { json: <T>() => T }): string => answer.json<{ id: string }>().id;

describe.each([
  [LOGS, LINES],
  [DIAGNOSE, { reason: 'it is slow' }],
])('a repeated POST %s', (path, body) => {
  it('with the same key is the same request, also later', async () => {
    const { post, commands, logs, time } = await begin();
    const first = await post(path, body, KEY);
    time.pass(5_000);
    const second = await post(path, body, KEY);
    expect([first.statusCode, second.statusCode]).toEqual([202, 202]);
    expect(second.json()).toEqual(first.json());
    expect(second.headers['location']).toBe(`/api/v1/logs/${idOf(first)}`);
    expect([commands.countOpen(), logs.list().length]).toEqual([1, 1]);
  });

  it('with another key, or of another operator, is another one', async () => {
    const { post, commands, as } = await begin();
    await post(path, body, KEY);
    await post(path, body, { 'idempotency-key': 'press-2' });
    await post(path, body, { ...KEY, ...as('oncall') });
    await post(path, body);
    expect(commands.countOpen()).toBe(4);
  });

  it('with the same key for something else is refused', async () => {
    const { post, commands } = await begin();
    await post(path, body, KEY);
    const answer = await post(path, { ...body, reason: 'something else' }, KEY);
    expect(answer.json()).toMatchObject({ status: 422, detail: /make a new one/ });
    const other = path === LOGS ? DIAGNOSE : LOGS;
    const crossed = await post(other, { ...LINES, ...body }, KEY);
    expect([crossed.statusCode, commands.countOpen()]).toEqual([422, 1]);
  });

  it('with a key that is none is refused', async () => {
    const { post, commands } = await begin();
    const answer = await post(path, body, { 'idempotency-key': 'x'.repeat(129) });
    expect([answer.statusCode, commands.countOpen()]).toEqual([422, 0]);
  });

  it('takes no room where there is none, and says when it is not kept any more', async () => {
    const { post, logs, commands } = await begin();
    const first = await post(path, body, KEY);
    for (let n = 1; n < LOGS_KEPT; n += 1) await post(path, body);
    expect((await post(path, body)).statusCode).toBe(429);
    expect((await post(path, body, KEY)).json()).toEqual(first.json());
    const view = logs.get(idOf(first));
    const actor = { name: 'root', role: 'admin' } as const;
    commands.cancel(view?.command ?? '', actor, 'not needed');
    await post(path, body);
    const gone = await post(path, body, KEY);
    expect(gone.json()).toMatchObject({ status: 409, detail: /is not kept any more/ });
  });
});

describe('a repeated request for other lines', () => {
  it('is refused under the same key', async () => {
    const { post } = await begin();
    await post(LOGS, LINES, KEY);
    expect((await post(LOGS, { ...LINES, untilMs: 3 }, KEY)).statusCode).toBe(422);
  });
});
