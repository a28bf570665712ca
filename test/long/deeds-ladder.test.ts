// Quarantine, budgets, a hold and a reboot, by order of an operator, on a real till; the reboot itself is played by its
// hook, because a test must not restart the machine that it runs on.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, until } from '../real/agent-rig.ts';
import { DeedsRig } from './deeds-rig.ts';

let rig: DeedsRig;
beforeEach(() => {
  rig = new DeedsRig();
});
afterEach(() => rig.close());

describe('an operator', () => {
  it('releases from quarantine, gives back budgets, holds and lets go', async () => {
    const marker = join(rig.till.folder, 'works');
    await rig.open([
      fault('till', ['--live-ms', '100', '--exit', '3', '--once', marker], {
        budget: { restarts: 1, retryMs: 3_600_000 },
        backoff: { minMs: 10, maxMs: 20 },
      }),
      fault('other'),
    ]);
    await rig.connected();
    await until('it is in quarantine', () =>
      rig.till.lines('till').some(({ to }) => to === 'quarantined'),
    );
    const refill = { kind: 'reset_budget', arguments: { component: 'till' } } as const;
    expect(await rig.obeyed(refill)).toMatchObject({ state: 'succeeded' });
    expect(await rig.status('till')).toMatchObject({
      ...{
        state: 'quarantined',
        left: expect.arrayContaining([{ rung: 'restart', times: 1, of: 1 }]),
      },
    });
    const release = (component: string) =>
      rig.obeyed({ kind: 'unquarantine', arguments: { component } });
    expect((await release('other')).reason).toBe('other is not in quarantine: it is ready');
    expect(await release('till')).toMatchObject({ state: 'succeeded', reason: 'ready again' });
    const held = await rig.obeyed({ kind: 'hold', arguments: { forMs: 60_000 } });
    expect(held).toMatchObject({ state: 'succeeded', detail: { untilMs: expect.any(Number) } });
    const event = () => rig.events().findLast(({ kind }) => kind === 'hold')?.fields;
    await until('it is told', () => event()?.['by'] === 'kim');
    expect((await rig.obeyed({ kind: 'release', arguments: {} })).reason).toBe(
      'the till is no longer held',
    );
    await until('its end is told', () => event()?.['active'] === false);
  });

  it('reboots where there is a hook, once an hour, and the next boot says that it happened', async () => {
    const flag = join(rig.till.folder, 'rebooted');
    const reboot = { kind: 'reboot', arguments: { force: true } } as const;
    const ladder = { reboot: { command: ['/usr/bin/touch', flag], uptimeMsMin: 60_000 } };
    await rig.open([fault('till')], { ladder });
    await rig.connected();
    await rig.till.ready('till');
    const id = rig.send(reboot);
    await until('the hook has run', () => rig.till.log().some((line) => line['hook'] === 'reboot'));
    expect(rig.ended(id)).toBeUndefined();
    expect(JSON.parse(rig.file('data', 'ladder.json')).reboots).toHaveLength(1);
    expect((await rig.obeyed(reboot)).reason).toContain('bounds.rebootsPerHour');
    await rig.killAgent();
    // As if it had been another boot; the real one cannot be had in a test.
    const path = join(rig.till.folder, 'data', 'commands.json');
    const journal = JSON.parse(readFileSync(path, 'utf8'));
    for (const entry of journal.entries) if (entry.id === id) entry.bootId = 'an-earlier-boot';
    writeFileSync(path, JSON.stringify(journal));
    rig.startAgent();
    expect(await until('it is answered', () => rig.ended(id))).toMatchObject({
      ...{ state: 'succeeded', reason: 'the machine started anew' },
    });
  });

  it('is told at once where there is no reboot hook', async () => {
    await rig.open([fault('till')]);
    await rig.connected();
    const refused = await rig.obeyed({ kind: 'reboot', arguments: {} });
    expect(refused).toMatchObject({ state: 'rejected' });
    expect(refused.reason).toContain('it has no reboot hook (ladder.reboot)');
  });
});
