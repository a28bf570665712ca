// What a store has left while bulk actions are at it: counted over the tills that sell now and where they stand now, not
// over the list as it was frozen.

import { describe, expect, it } from 'vitest';
import type { IdentityState } from '../../broker/identity/types.ts';
import { begin, HOLD } from './bulk-rig.ts';
import { START_MS } from './fleet-rig.ts';

type Rig = Awaited<ReturnType<typeof begin>>;

const close = ({ fleet }: Rig, ...terminals: readonly string[]): void => {
  for (const terminal of terminals) fleet.sessionClosed(terminal, 'lost');
};
const only = (...terminals: readonly string[]) => ({ selector: { terminals } });

describe('half of a store', () => {
  it('is half of those that sell: of four with two dead, two do not restart together', async () => {
    const rig = await begin();
    const { plan, start, asked, answerAll } = rig;
    const [one, two] = [await plan(only('hamm-1')), await plan({ ...HOLD, ...only('hamm-2') })];
    close(rig, 'hamm-3', 'hamm-4');
    await start(one);
    await start(two);
    expect(asked()).toEqual(['hamm-1']);
    answerAll();
    rig.time.pass(1_000);
    expect(asked()).toEqual(['hamm-2']);
  });

  it('is also of the last one that sells this one', async () => {
    const rig = await begin();
    const { plan, start, asked } = rig;
    close(rig, 'hamm-2', 'hamm-3', 'hamm-4');
    await start(await plan(only('hamm-1')));
    expect(asked()).toEqual(['hamm-1']);
  });

  it('counts a till that was moved since where it stands now', async () => {
    const rig = await begin();
    const { plan, start, asked, fleet } = rig;
    const [one, two] = [await plan(only('bremen-1')), await plan({ ...HOLD, ...only('hamm-1') })];
    close(rig, 'hamm-2', 'hamm-3', 'hamm-4');
    fleet.database.transact(() => fleet.planner.plan('bremen-1', 'hamm'));
    await start(one);
    await start(two);
    expect(asked()).toEqual(['bremen-1']);
  });
});

describe('a till that is retired meanwhile', () => {
  it.each(['away', 'at it'])('does not keep a bulk action open while it is %s', async (where) => {
    const states = new Map<string, IdentityState>();
    const rig = await begin((id) => states.get(id) ?? 'enrolled');
    const { plan, start, view, finish, time, commands, terminals, fleet, answerAll } = rig;
    if (where === 'away') close(rig, 'berlin-1');
    const { id } = await start(await plan({ selector: { store: 'berlin' } }));
    if (where === 'at it') {
      // It has taken its command, and is never heard again.
      const [command] = commands.list({ bulk: id, limit: 1 });
      const word = {
        commandId: command?.id ?? '',
        state: 'accepted',
        reason: '',
        detail: {},
      } as const;
      terminals.results('berlin-1', { ...word, timeMs: START_MS + 1 });
      fleet.drain();
    } else answerAll();
    states.set('berlin-1', 'retired');
    for (let turn = 0; turn < 4; turn += 1) {
      time.pass(1_000);
      finish();
    }
    expect(await view(id)).toMatchObject({ state: 'done', counts: { succeeded: 3, skipped: 1 } });
  });
});
