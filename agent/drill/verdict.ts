// What is expected of the watchdog for each fault, and whether it came so. Pure. The verdict is about what was done:
// times are told beside what they should be and fail nothing, because a slow machine is no broken watchdog. While
// the till is held, or only observes, what is expected is that it says what it would have done, and leaves it.

import type { DrillFault } from '../../protocol/commands.ts';
import type { DrillExpectation, DrillReport } from '../../protocol/drill.ts';
import type { Cause } from '../../protocol/events.ts';
import type { Story } from './story.ts';

const SECOND = 1_000;

type Rule = {
  /** All right answers; the first is the usual one. */
  readonly causes: readonly Cause[];
  readonly timeoutMs: number;
  /** design.md section 7, at p95. */
  readonly target?: { readonly confirmed: number; readonly ready: number };
};
const BLOCKED = { confirmed: 2_500, ready: 3_500 };
const SPINNING = { confirmed: 5_500, ready: 6_500 };

export const RULES: Readonly<Record<DrillFault, Rule>> = {
  hang: { causes: ['hang'], timeoutMs: 60 * SECOND, target: SPINNING },
  stop: { causes: ['hang'], timeoutMs: 60 * SECOND, target: BLOCKED },
  deadlock: { causes: ['hang'], timeoutMs: 60 * SECOND, target: BLOCKED },
  leak: { causes: ['memory'], timeoutMs: 120 * SECOND },
  'crash-loop': { causes: ['crash'], timeoutMs: 180 * SECOND },
  fork: { causes: ['hang'], timeoutMs: 90 * SECOND },
  'log-flood': { causes: [], timeoutMs: 90 * SECOND },
  'port-held': { causes: ['hang'], timeoutMs: 90 * SECOND },
  'disk-full': { causes: [], timeoutMs: 240 * SECOND },
};

export type Facts = {
  readonly passive: DrillReport['passive'];
  /** Processes of the drill that are there after the end. */
  readonly left: readonly number[];
  /** The life that failed is the one that runs. */
  readonly isSame: boolean;
  readonly numbers: DrillReport['numbers'];
};

const expect = (what: string, met: boolean): DrillExpectation => ({ what, met });

/** Whether what is waited for has come, good or not. */
export function isComplete(fault: DrillFault, story: Story, facts: Facts): boolean {
  switch (fault) {
    case 'crash-loop':
      return story.quarantinedMs !== undefined;
    case 'log-flood':
      return (
        facts.numbers['printedBytes'] !== undefined && facts.numbers['keptBytes'] !== undefined
      );
    case 'disk-full':
      return facts.numbers['normal'] === 1;
    default:
      return facts.passive === undefined
        ? story.phases.ready !== undefined
        : story.wouldHave !== undefined;
  }
}

function found(fault: DrillFault, { cause }: Story): DrillExpectation[] {
  const { causes } = RULES[fault];
  const right = causes[0] ?? 'it';
  return [
    expect('the failure is found', cause !== undefined),
    expect(`its cause is ${right}`, cause !== undefined && causes.includes(cause)),
  ];
}

function healed(fault: DrillFault, story: Story, { left }: Facts): DrillExpectation[] {
  const { phases, evidence, starts, kills } = story;
  const isPlanned = fault === 'leak';
  return [
    ...found(fault, story),
    ...(isPlanned
      ? [expect('it is asked to stop and not killed', kills === 0)]
      : [
          expect('evidence is taken before the kill', evidence !== undefined),
          expect('it is killed', phases.killed !== undefined),
        ]),
    expect('it is started again, once', starts === 1),
    expect('it is ready again', phases.ready !== undefined),
    expect('none of its processes is left', left.length === 0),
  ];
}

const spared = (fault: DrillFault, story: Story, { isSame }: Facts): DrillExpectation[] => [
  ...found(fault, story),
  expect('what would have been done is told', story.wouldHave !== undefined),
  expect('it is left as it is', isSame && story.kills === 0),
];

/** Found by its mark and ended with the tree, or named: an escaped child may be either. */
const portFreed = ({ held }: Story, { numbers }: Facts): DrillExpectation =>
  expect('who holds its port is named, or was ended', held.length > 0 || numbers['freed'] === 1);

const looped = (story: Story, { left }: Facts): DrillExpectation[] => [
  ...found('crash-loop', story),
  expect('it is started again', story.starts > 0),
  expect('its budget ends the loop: a human is called', story.quarantinedMs !== undefined),
  expect('none of its processes is left', left.length === 0),
];

const flooded = (story: Story, { isSame, numbers }: Facts): DrillExpectation[] => [
  expect('it could print all the while', numbers['printedBytes'] !== undefined),
  expect('it is taken for healthy', isSame && story.kills + story.ends === 0),
  expect('what is too much is given up and counted', (numbers['droppedBytes'] ?? 0) > 0),
  expect(
    'what is kept is within its bound',
    (numbers['keptBytes'] ?? Number.POSITIVE_INFINITY) <= (numbers['keptBytesMax'] ?? 0),
  ),
];

const filled = ({ numbers }: Facts): DrillExpectation[] => [
  ...(['journal', 'evidence', 'metrics'] as const).map((level) =>
    expect(`the level ${level} is told`, numbers[level] !== undefined),
  ),
  expect(
    'the floor is not touched',
    (numbers['freeBytesMin'] ?? 0) >= (numbers['floorBytes'] ?? 0),
  ),
  expect('the disk has its room again', numbers['normal'] === 1),
];

export function expectations(fault: DrillFault, story: Story, facts: Facts): DrillExpectation[] {
  const own = (): DrillExpectation[] => {
    if (fault === 'crash-loop') return looped(story, facts);
    if (fault === 'log-flood') return flooded(story, facts);
    if (fault === 'disk-full') return filled(facts);
    if (facts.passive !== undefined) return spared(fault, story, facts);
    const all = healed(fault, story, facts);
    return fault === 'port-held' ? [...all, portFreed(story, facts)] : all;
  };
  return [...own(), expect('no other component is killed', story.others.length === 0)];
}

const seconds = (ms: number): string => `${(Math.max(0, ms) / SECOND).toFixed(2)} s`;

function passedText(fault: DrillFault, story: Story): string {
  const { phases, wouldHave, quarantinedMs } = story;
  if (fault === 'log-flood') return 'it printed on, was not touched, and the disk kept its bound';
  if (fault === 'disk-full') return 'each level was told in its turn, and the room is there again';
  const when = phases.confirmed === undefined ? '' : `found after ${seconds(phases.confirmed)}, `;
  if (quarantinedMs !== undefined) {
    return `${when}started ${story.starts} times, given to a human after ${seconds(quarantinedMs)}`;
  }
  if (wouldHave !== undefined) return `${when}would have done: ${wouldHave}`;
  return `${when}ready again after ${seconds(phases.ready ?? 0)}`;
}

/** @param trouble why it came to no good end, if that is known. */
export function verdictOf(
  fault: DrillFault,
  story: Story,
  expected: readonly DrillExpectation[],
  trouble: string | undefined,
): Pick<DrillReport, 'state' | 'verdict'> {
  const missed = expected.filter(({ met }) => !met).map(({ what }) => what);
  if (trouble === undefined && missed.length === 0) {
    return { state: 'passed', verdict: passedText(fault, story) };
  }
  const but = missed.length === 0 ? '' : `not so: ${missed.join('; ')}`;
  return { state: 'failed', verdict: [trouble, but].filter(Boolean).join('; ') };
}
