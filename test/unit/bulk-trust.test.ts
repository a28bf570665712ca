// What somebody could get past who may do a little: a bulk action whose operator is gone, one store after the other at the
// same time, and words that are kept for ever. And what a list says of a till that was on its way.

import { describe, expect, it } from 'vitest';
import { openBulks } from '../../broker/bulk/desk.ts';
import type { BulkView } from '../../broker/bulk/view.ts';
import type { Role } from '../../protocol/catalogue.ts';
import { begin } from './bulk-rig.ts';
import { quiet, START_MS } from './fleet-rig.ts';
import { BULK } from './http-rig.ts';

const ROOT = { name: 'root', role: 'admin' } as const;
const ADA = { name: 'ada', role: 'admin' } as const;

/** Bulk actions that know who is an operator now. */
async function withOperators() {
  const rig = await begin();
  rig.bulks.close();
  const roles = new Map<string, Role>([
    ['root', 'admin'],
    ['ada', 'admin'],
  ]);
  const bulks = openBulks({
    ...{ ...rig.time, fleet: rig.fleet, commands: rig.commands, audit: rig.audit },
    ...{ notices: rig.notices, metrics: rig.metrics, log: quiet, settings: BULK },
    ...{ stateOf: () => 'enrolled', roleOf: (name: string): Role | undefined => roles.get(name) },
  });
  const planned = bulks.plan({
    ...{ kind: 'restart', arguments: { component: 'sale' }, selector: { all: true } },
    ...{ reason: 'new version', actor: ROOT },
  });
  if (!planned.ok) throw new Error(planned.reason);
  const { id } = planned.view;
  bulks.start(id, { count: 12, reason: 'go on', confirm: 'restart 12', actor: ROOT });
  return { ...rig, bulks, roles, id };
}

describe('a bulk action whose operator', () => {
  it.each([
    ['was disabled', undefined],
    ['lost the role', 'oncall'],
  ] as const)('%s stops, tells everybody, and goes on for whoever resumes it', async (_, role) => {
    const { bulks, id, roles, answerAll, asked, time, notices, commands } = await withOperators();
    expect(asked()).toHaveLength(1);
    if (role === undefined) roles.delete('root');
    else roles.set('root', role);
    answerAll();
    time.pass(5_000);
    expect(asked()).toEqual([]);
    expect(bulks.get(id)).toMatchObject({ state: 'paused', why: expect.stringContaining('root') });
    expect(notices.after(0, 10).at(-1)?.text).toMatch(/stopped by itself: root .* any more/);
    expect(bulks.resume(id, ADA, 'I answer for it')).toMatchObject({ ok: true });
    expect(asked()).toHaveLength(1);
    expect(commands.list({ limit: 1 })[0]?.operator).toBe('ada');
    expect(bulks.get(id)).toMatchObject({ state: 'running', startedBy: 'ada' });
    bulks.close();
  });
});

describe('an aborted one', () => {
  it('says that a till did it which was on its way and could not be stopped', async () => {
    const { plan, start, act, view, terminals, commands, fleet } = await begin();
    const { id } = await start(await plan({ selector: { store: 'berlin' } }));
    const [command] = commands.list({ bulk: id, limit: 10 });
    await act(id, 'abort', { reason: 'wrong list' });
    expect((await view(id)).counts).toMatchObject({ skipped: 4, succeeded: 0 });
    for (const [state, at] of [
      ['accepted', 1],
      ['succeeded', 2],
    ] as const) {
      const word = { commandId: command?.id ?? '', state, reason: '', detail: {} };
      terminals.results(command?.terminal ?? '', { ...word, timeMs: START_MS + at });
      fleet.drain();
    }
    expect(await view(id)).toMatchObject({
      state: 'aborted',
      counts: { skipped: 3, succeeded: 1 },
    });
  });
});

describe('somebody on call', () => {
  it('cannot take several stores by one bulk action for each', async () => {
    const { plan, start, as, notices } = await begin();
    const oncall = as('oncall');
    const one = await plan({ selector: { store: 'berlin' } }, oncall);
    const two = await plan({ selector: { store: 'bremen' } }, oncall);
    expect(await start(one, {}, oncall)).toMatchObject({ status: 202 });
    expect(await start(two, {}, oncall)).toMatchObject({
      ...{ status: 403, detail: expect.stringContaining('role admin') },
    });
    expect(await start(two, { confirm: 'restart 4' }, oncall)).toMatchObject({ status: 403 });
    // Somebody else in a store of their own is another matter, and so is an admin who writes it out.
    expect(await start(two, {}, as('admin'))).toMatchObject({ status: 202 });
    const three: BulkView = await plan({ selector: { store: 'hamm' } }, as('admin'));
    expect(await start(three, {}, as('admin'))).toMatchObject({
      ...{ status: 422, detail: expect.stringContaining('write "restart 4"') },
    });
    expect(await start(three, { confirm: 'restart 4' }, as('admin'))).toMatchObject({ wide: true });
    expect(notices.after(0, 10).at(-1)?.text).toContain('admin started restart');
  });

  it('leaves no line breaks and no heaps of words in what is kept for ever', async () => {
    const { plan, as } = await begin();
    for (const reason of ['one\nadmin did it', '\u001b[2Jgone', 'x'.repeat(5_000)]) {
      expect(await plan({ reason, selector: { all: true } }, as('oncall'))).toMatchObject({
        ...{ status: 422, detail: expect.stringContaining('reason') },
      });
    }
  });
});
