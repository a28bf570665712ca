// A component that cannot be started at all: told, tried again, given to a human, and held against nobody else.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, Rig, until } from '../real/agent-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

describe('a component that cannot be started', () => {
  it('is told with a sentence, tried again with backoff, and then left to a human', async () => {
    rig.configure([
      {
        name: 'missing',
        command: ['/nowhere/at/all'],
        backoff: { minMs: 50, maxMs: 100 },
        budget: { restarts: 2 },
      },
      fault('after', [], { after: ['missing'] }),
      fault('sale'),
    ]);
    void rig.start();
    await rig.ready('sale');
    const quarantined = await until('it is given to a human', () =>
      rig.lines('missing').find((line) => line.to === 'quarantined'),
    );
    expect(quarantined.message).toContain('a human is needed');
    // What comes after it is not held up for ever: it runs without, as it would had it failed later.
    await rig.ready('after');
  });
});
