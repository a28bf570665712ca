// Order of start and stop, and what a configuration's author is told about an impossible one.

import { describe, expect, it } from 'vitest';
import {
  backoffMs,
  quarantineMs,
  random,
  spend,
  withinBudget,
} from '../../agent/watchdog/backoff.ts';
import { boundEvidence } from '../../agent/watchdog/incident.ts';
import {
  dependants,
  mayStart,
  mayStop,
  planProblems,
  startOrder,
  stopOrder,
} from '../../agent/watchdog/plan.ts';
import { EVIDENCE_CHARS_MAX } from '../../agent/watchdog/state.ts';
import { COMPONENT_STATES } from '../../protocol/events.ts';

const till = [
  { name: 'sale', after: ['hardware'] },
  { name: 'hardware', after: [] },
  { name: 'sync', after: ['sale'] },
  { name: 'display', after: [] },
];

describe('the plan', () => {
  it('starts what is needed first and keeps the configured order otherwise', () => {
    expect(startOrder(till)).toEqual(['hardware', 'sale', 'sync', 'display']);
    expect(stopOrder(till)).toEqual(['display', 'sync', 'sale', 'hardware']);
  });

  it('lets start what has all it needs ready', () => {
    expect(mayStart(till, new Map())).toEqual(['hardware', 'display']);
    const states = new Map([
      ['hardware', 'ready'],
      ['display', 'starting'],
    ] as const);
    expect(mayStart(till, states)).toEqual(['sale']);
    expect(mayStart(till, new Map([['hardware', 'starting']] as const))).toEqual(['display']);
  });

  it('waits for nothing that failed, is suspected or is not to be started', () => {
    for (const state of ['suspect', 'backoff', 'quarantined'] as const) {
      expect(mayStart(till, new Map([['hardware', state]]))).toEqual(['sale', 'display']);
    }
    const toStart = new Set(['sale']);
    expect(mayStart(till, new Map(), toStart)).toEqual(['hardware', 'sale', 'display']);
  });

  it('lets stop what nothing that runs depends on', () => {
    const states = new Map([
      ['hardware', 'ready'],
      ['sale', 'ready'],
      ['sync', 'stopping'],
    ] as const);
    expect(mayStop(till, states)).toEqual(['sync']);
    expect(mayStop(till, new Map([['hardware', 'ready']] as const))).toEqual(['hardware']);
  });

  it('knows dependants near and far', () => {
    expect(dependants(till, 'hardware')).toEqual(['sale', 'sync']);
    expect(dependants(till, 'sync')).toEqual([]);
  });

  it('names every mistake in a sentence', () => {
    const problems = planProblems([
      { name: 'a', after: ['c'] },
      { name: 'b', after: ['a', 'ghost'] },
      { name: 'c', after: ['b'] },
      { name: 'd', after: ['d'] },
    ]);
    expect(problems).toEqual([
      { name: 'b', reason: 'b starts after ghost, which is not configured' },
      { name: 'd', reason: 'd cannot start after itself' },
      {
        name: 'a',
        reason: 'components wait for each other and none can start: a after c after b after a',
      },
    ]);
    expect(planProblems(till)).toEqual([]);
  });

  it('ends even for a cycle that nobody refused', () => {
    const ring = [
      { name: 'a', after: ['b'] },
      { name: 'b', after: ['a'] },
    ];
    expect(startOrder(ring)).toEqual(['a', 'b']);
    expect(dependants(ring, 'a')).toEqual(['b']);
  });
});

describe('backoff', () => {
  const rule = { backoffMsMin: 250, backoffMsMax: 30_000 };

  it('is nothing at first, then doubles up to its maximum', () => {
    const delays = [1, 2, 3, 4, 9, 10, 1_000].map((failures) => backoffMs(rule, failures, 0.5));
    expect(delays).toEqual([0, 250, 500, 1_000, 30_000, 30_000, 30_000]);
  });

  it('is spread by a quarter in both directions', () => {
    expect(backoffMs(rule, 4, 0)).toBe(750);
    expect(backoffMs(rule, 4, 0.999_999)).toBe(1_250);
  });

  it('in quarantine doubles up to five times the interval', () => {
    expect([0, 1, 2, 3, 50].map((retries) => quarantineMs(60_000, retries))).toEqual([
      60_000, 120_000, 240_000, 300_000, 300_000,
    ]);
  });

  it('draws the same numbers from the same seed, evenly', () => {
    let seed = 42;
    let sum = 0;
    for (let draws = 0; draws < 10_000; draws += 1) {
      const drawn = random(seed);
      expect(drawn).toEqual(random(seed));
      expect(drawn.value).toBeGreaterThanOrEqual(0);
      expect(drawn.value).toBeLessThan(1);
      sum += drawn.value;
      seed = drawn.seed;
    }
    expect(sum / 10_000).toBeCloseTo(0.5, 1);
  });

  const budget = { restartsMax: 2, restartsWindowMs: 1_000, budgetCauses: {} };

  it('budget is a sliding window', () => {
    let restarts = spend(budget, [], 'crash', 100);
    expect(withinBudget(budget, restarts, 'crash', 100)).toBe(true);
    restarts = spend(budget, restarts, 'hang', 600);
    expect(withinBudget(budget, restarts, 'crash', 1_000)).toBe(false);
    expect(withinBudget(budget, restarts, 'crash', 1_100)).toBe(true);
    expect(spend(budget, restarts, 'crash', 1_050)).toHaveLength(2);
  });

  it('budget of one cause may be smaller, and the others have what is left', () => {
    const rule = { restartsMax: 3, restartsWindowMs: 1_000, budgetCauses: { hang: 1, memory: 0 } };
    const restarts = spend(rule, [], 'hang', 100);
    expect(withinBudget(rule, restarts, 'hang', 200)).toBe(false);
    expect(withinBudget(rule, restarts, 'crash', 200)).toBe(true);
    expect(withinBudget(rule, restarts, 'memory', 200)).toBe(false);
    expect(withinBudget(rule, restarts, 'hang', 1_100)).toBe(true);
  });
});

describe('small print', () => {
  it('the columns of the table stand in this order', () => {
    expect(COMPONENT_STATES).toEqual([
      'stopped',
      'starting',
      'ready',
      'suspect',
      'stopping',
      'backoff',
      'quarantined',
    ]);
  });

  it('evidence that is too large or no JSON is cut, not lost with its incident', () => {
    expect(boundEvidence({ small: true })).toEqual({ small: true });
    const large = boundEvidence('"'.repeat(100_000));
    expect(JSON.stringify(large).length).toBeLessThan(2 * EVIDENCE_CHARS_MAX + 100);
    const ring: Record<string, unknown> = {};
    ring['self'] = ring;
    expect(boundEvidence(ring)).toMatchObject({ cut: true });
    expect(boundEvidence(undefined)).toBeUndefined();
  });
});
