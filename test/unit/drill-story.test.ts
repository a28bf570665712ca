// What a drill makes of the course of events: times since the fault, the cause, what was seen, and whether all of it is
// what is expected. No process is started here.

import { describe, expect, it } from 'vitest';
import { BALLAST_BYTES_MAX, ballastPlan } from '../../agent/drill/ballast.ts';
import {
  beginFault,
  briefOf,
  hear,
  hearHeld,
  hearOther,
  type MachineStep,
  NEW_STORY,
  note,
  STEPS_MAX,
  type Story,
} from '../../agent/drill/story.ts';
import {
  expectations,
  type Facts,
  isComplete,
  RULES,
  verdictOf,
} from '../../agent/drill/verdict.ts';
import { DRILL_FAULTS } from '../../protocol/commands.ts';
import { DRILL_LINES } from '../../protocol/drill.ts';
import type { ComponentState } from '../../protocol/events.ts';

type Effects = MachineStep['effects'];
const FACTS: Facts = { passive: undefined, left: [], isSame: false, numbers: {} };

const moved = (from: ComponentState, to: ComponentState, reason = 'because'): Effects => [
  {
    kind: 'report',
    event: {
      kind: 'component_state',
      component: 'drill',
      fields: { from, to, reason, version: '1' },
    },
  },
];
const condemned = { cause: 'hang', reason: 'no beat for 2.0 s' } as const;
const SUMMARY = {
  processes: [{ pid: 7, state: 'S', wchan: 'futex_wait', threadStates: 'S 9' }, { pid: 8 }],
  processesMore: 3,
  topFrame: 'spin (main.ts:1)',
  logLines: ['one', 'two'],
};

/** Steps of the machine with the time of each, from a fault at 1000. */
function told(...steps: [number, Partial<MachineStep>][]): Story {
  let story = beginFault(NEW_STORY, 'it fails: hang', 1_000);
  for (const [now, step] of steps) {
    const whole = { event: { kind: 'tick' }, effects: [], condemned: undefined, ...step } as const;
    story = hear(story, whole, now);
  }
  return story;
}

const collect: Effects = [{ kind: 'collect_evidence', phase: 'confirmed', incident: 'i' }];
const HEALED = [
  [2_000, { effects: moved('ready', 'suspect', 'no beat for 1.0 s') }],
  [3_000, { effects: collect, condemned }],
  [3_100, { event: { kind: 'evidence', phase: 'confirmed', summary: SUMMARY } }],
  [3_100, { effects: [{ kind: 'kill', reason: 'it hangs' }] }],
  [3_150, { event: { kind: 'exited', code: undefined, signal: 'SIGKILL' } }],
  [3_400, { event: { kind: 'spawned', instance: 'x', pid: 9 } }],
  [3_600, { event: { kind: 'ready' }, effects: moved('starting', 'ready') }],
] as const satisfies readonly (readonly [number, Partial<MachineStep>])[];
const healed = (): Story =>
  told(...HEALED.map(([now, step]): [number, Partial<MachineStep>] => [now, step]));

const missed = (story: Story, facts: Facts, fault: (typeof DRILL_FAULTS)[number] = 'hang') =>
  expectations(fault, story, facts)
    .filter(({ met }) => !met)
    .map(({ what }) => what);

describe('the story of a drill', () => {
  it('tells each phase in milliseconds since the fault', () => {
    const { phases, cause, reason, evidence } = healed();
    expect(phases).toEqual({
      ...{ suspected: 1_000, confirmed: 2_000, evidence: 2_100, killed: 2_100 },
      ...{ started: 2_400, ready: 2_600 },
    });
    expect({ cause, reason }).toEqual(condemned);
    expect(evidence).toMatchObject({ processes: 5, state: 'S', topFrame: 'spin (main.ts:1)' });
  });

  it('knows nothing of what was before the fault', () => {
    const step = { event: { kind: 'tick' }, effects: collect, condemned } as const;
    expect(hear(NEW_STORY, step, 5)).toBe(NEW_STORY);
    expect(hearOther(NEW_STORY, 'sale', [{ kind: 'kill', reason: 'x' }])).toBe(NEW_STORY);
    expect(hearHeld(NEW_STORY, 'port 1', 'me', 5)).toBe(NEW_STORY);
  });

  it('takes the first of each phase, and says when a suspicion is over', () => {
    const story = told(
      [1_500, { effects: moved('ready', 'suspect') }],
      [1_700, { effects: moved('suspect', 'ready', 'it beats again') }],
      [2_500, { effects: moved('ready', 'suspect') }],
    );
    expect(story.phases).toEqual({ suspected: 500 });
    expect(story.steps.map(({ text }) => text)).toContain('no longer suspected: it beats again');
  });

  it('is bounded however long it lasts', () => {
    let story = beginFault(NEW_STORY, 'begin', 0);
    for (let n = 0; n < 1_000; n += 1) story = note(story, 'x'.repeat(5_000), n);
    expect(story.steps).toHaveLength(STEPS_MAX);
    expect(JSON.stringify(story.steps).length).toBeLessThan(16_000);
  });

  it('makes something of evidence of any shape', () => {
    for (const odd of [
      undefined,
      null,
      7,
      'text',
      [],
      { processes: 'no' },
      { processes: [null] },
    ]) {
      expect(briefOf(odd)).toMatchObject({ logLines: 0 });
    }
  });
});

describe('the verdict', () => {
  it('is passed when everything was done, and tells the times without judging them', () => {
    const story = healed();
    expect(isComplete('hang', story, FACTS)).toBe(true);
    const expected = expectations('hang', story, FACTS);
    expect(verdictOf('hang', story, expected, undefined)).toEqual({
      state: 'passed',
      verdict: 'found after 2.00 s, ready again after 2.60 s',
    });
  });

  it('names what was missed', () => {
    expect(missed(told(), FACTS)).toEqual([
      'the failure is found',
      'its cause is hang',
      'evidence is taken before the kill',
      'it is killed',
      'it is started again, once',
      'it is ready again',
    ]);
    expect(missed(healed(), { ...FACTS, left: [7] })).toEqual(['none of its processes is left']);
    const twice = hear(
      healed(),
      { event: { kind: 'spawned', instance: 'y', pid: 3 }, effects: [], condemned: undefined },
      4_000,
    );
    expect(missed(twice, FACTS)).toEqual(['it is started again, once']);
    expect(missed({ ...healed(), cause: 'crash' }, FACTS)).toEqual(['its cause is hang']);
    const harmed = hearOther(healed(), 'sale', [{ kind: 'kill', reason: 'x' }]);
    expect(missed(harmed, FACTS)).toEqual(['no other component is killed']);
    const { verdict } = verdictOf('hang', harmed, expectations('hang', harmed, FACTS), undefined);
    expect(verdict).toBe('not so: no other component is killed');
  });

  it('is failed with the trouble that ended it, whatever was seen', () => {
    const expected = expectations('hang', healed(), FACTS);
    expect(verdictOf('hang', healed(), expected, 'the agent ends')).toEqual({
      state: 'failed',
      verdict: 'the agent ends',
    });
  });

  it.each(['observe', 'hold'] as const)('expects nothing but words in %s', (passive) => {
    const facts: Facts = { ...FACTS, passive, isSame: true };
    const suppressed: Effects[number] = {
      kind: 'report',
      event: {
        kind: 'recovery_suppressed',
        component: 'drill',
        fields: {
          ...({ incident: 'i', rung: 'restart', cause: 'hang' } as const),
          ...{ reason: 'no beat', version: '1', by: passive },
        },
      },
    };
    const story = told([3_000, { effects: [...collect, suppressed], condemned }]);
    expect(isComplete('hang', story, facts)).toBe(true);
    expect(isComplete('hang', told(), facts)).toBe(false);
    expect(missed(story, facts)).toEqual([]);
    expect(
      verdictOf('hang', story, expectations('hang', story, facts), undefined).verdict,
    ).toContain('would have done: restart for hang');
    expect(missed(healed(), facts)).toContain('it is left as it is');
  });

  it('asks of a held port that its holder is named, or was ended', () => {
    expect(missed(healed(), FACTS, 'port-held')).toEqual([
      'who holds its port is named, or was ended',
    ]);
    expect(missed(hearHeld(healed(), 'port 21000', 'node', 4_000), FACTS, 'port-held')).toEqual([]);
    expect(missed(healed(), { ...FACTS, numbers: { freed: 1 } }, 'port-held')).toEqual([]);
  });

  it('asks of a flood that nobody was touched and the disk kept its bound', () => {
    const numbers = { printedBytes: 150, droppedBytes: 140, keptBytes: 10, keptBytesMax: 12 };
    const good: Facts = { ...FACTS, isSame: true, numbers };
    expect(missed(told(), good, 'log-flood')).toEqual([]);
    expect(missed(told(), { ...good, isSame: false }, 'log-flood')).toHaveLength(1);
    const over = { ...numbers, keptBytes: 13 };
    expect(missed(told(), { ...good, numbers: over }, 'log-flood')).toHaveLength(1);
    expect(missed(told(), { ...good, numbers: {} }, 'log-flood')).toHaveLength(3);
  });

  it('asks of a leak that it is restarted as planned, not killed', () => {
    const stopping: Effects = [
      {
        kind: 'report',
        event: {
          kind: 'component_state',
          component: 'drill',
          fields: {
            from: 'ready',
            to: 'stopping',
            reason: 'too large',
            cause: 'memory',
            version: '1',
          },
        },
      },
    ];
    const after = HEALED.slice(-2).map(([at, step]): [number, Partial<MachineStep>] => [at, step]);
    expect(missed(told([2_000, { effects: stopping }], ...after), FACTS, 'leak')).toEqual([]);
    expect(missed(healed(), FACTS, 'leak')).toEqual([
      'its cause is memory',
      'it is asked to stop and not killed',
    ]);
  });

  it('has a rule and a line for each fault', () => {
    for (const fault of DRILL_FAULTS) {
      expect(RULES[fault].timeoutMs).toBeGreaterThan(10_000);
      expect(DRILL_LINES[fault].length).toBeLessThanOrEqual(68);
      expect(expectations(fault, NEW_STORY, FACTS).some(({ met }) => !met)).toBe(true);
    }
  });
});

describe('the ballast', () => {
  const MB = 1_000_000;
  const limits = { lowBytes: 1_000 * MB, floorBytes: 200 * MB, reserveBytes: 8 * MB };
  const disk = { freeBytes: 4_000 * MB, totalBytes: 20_000 * MB, readOnly: false };

  it('goes through each level and stays above the floor', () => {
    const plan = ballastPlan(disk, limits);
    expect(plan).toMatchObject({ ok: true, value: { floorBytes: 200 * MB } });
    const free = plan.ok ? plan.value.free : {};
    expect(free).toEqual({ journal: 700 * MB, evidence: 500 * MB, metrics: 300 * MB });
  });

  it.each([
    ['is read-only', { ...disk, readOnly: true }, /read-only/],
    ['is nearly full already', { ...disk, freeBytes: 900 * MB }, /little already/],
    [
      'is too large',
      { ...disk, freeBytes: BALLAST_BYTES_MAX + 400 * MB, totalBytes: 1e12 },
      /too large: .* would have to be filled/,
    ],
  ])('is refused where the disk %s', (_what, reading, sentence) => {
    const plan = ballastPlan(reading, limits);
    expect(plan.ok ? '' : plan.reason).toMatch(sentence);
  });
});
