// Stories about the gentlest rung: a component that is asked to heal itself while it is only suspect.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

describe('healing itself', () => {
  const heals = { canHeal: true, heal: { times: 1, windowMs: 60_000, coolDownMs: 10_000 } };

  it('is asked for on suspicion, and held when it was never confirmed', () => {
    const story = tell(heals);
    story.run();
    story.pass(1_500, 'blocked');
    expect(story.of('heal')).toMatchObject([{ incident: 'life-1' }]);
    expect(story.reports('recovery')).toMatchObject([{ rung: 'heal', cause: 'hang' }]);
    story.send({ kind: 'healed', ok: true, reason: 'done' });
    story.pass(62_000, 'healthy');
    expect(story.of('count_outcome')).toMatchObject([{ rung: 'heal', held: true }]);
  });

  it('delays no kill, did not hold then, and is not asked for again at once', () => {
    const story = tell(heals);
    story.run();
    story.pass(2_000, 'blocked');
    expect(story.kills()).toHaveLength(1);
    expect(story.of('count_outcome')).toMatchObject([{ rung: 'heal', held: false }]);
    story.pass(20_000, 'healthy');
    story.pass(1_500, 'blocked');
    expect(story.of('heal')).toHaveLength(1);
    story.pass(50_000, 'healthy');
    story.pass(1_500, 'blocked');
    expect(story.of('heal')).toHaveLength(2);
  });

  it('cools down in between', () => {
    const story = tell({ canHeal: true, heal: { times: 9, windowMs: 60_000, coolDownMs: 10_000 } });
    story.run();
    for (let round = 0; round < 10; round += 1) {
      story.pass(1_500, 'blocked');
      story.pass(1_000, 'healthy');
    }
    expect(story.of('heal')).toHaveLength(3);
  });

  it('that fails is told as such', () => {
    const story = tell(heals);
    story.run();
    story.pass(1_500, 'blocked');
    story.send({ kind: 'healed', ok: false, reason: 'the hook ended with code 3' });
    expect(story.reports('recovery_outcome')).toMatchObject([
      { held: false, reason: 'it could not heal itself: the hook ended with code 3' },
    ]);
  });

  it('is not asked for where it cannot be, nor in observe', () => {
    for (const changes of [{}, { ...heals, mode: 'observe' as const }]) {
      const story = tell(changes);
      story.run();
      story.pass(1_500, 'blocked');
      expect(story.of('heal')).toEqual([]);
    }
  });
});
