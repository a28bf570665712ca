// What the watchdog did in a drill, as it happens: every step of the component's state machine comes in, and times,
// cause, evidence and what a person reads of it come out. Pure, and apart from who runs the drill, so that the
// report of any course of events can be tested without one. What was before the fault counts for nothing.

import type { DrillPhase, DrillReport } from '../../protocol/drill.ts';
import type { Cause, ComponentState } from '../../protocol/events.ts';
import type { ComponentEffect, ComponentEvent } from '../watchdog/model.ts';

/** With their texts they fit into one event (EVENT_JSON_CHARS_MAX). */
export const STEPS_MAX = 40;
const STEP_CHARS_MAX = 300;

export type Story = {
  /** Monotonic; undefined until it fails. */
  readonly faultAt: number | undefined;
  readonly phases: { readonly [P in DrillPhase]?: number };
  readonly cause: Cause | undefined;
  readonly reason: string | undefined;
  readonly evidence: DrillReport['evidence'];
  readonly wouldHave: string | undefined;
  readonly restarts: number;
  readonly kills: number;
  readonly ends: number;
  readonly starts: number;
  readonly state: ComponentState | undefined;
  readonly quarantinedMs: number | undefined;
  /** What was named as held by somebody else. */
  readonly held: readonly string[];
  /** Others that were killed meanwhile. */
  readonly others: readonly string[];
  readonly steps: DrillReport['steps'];
};

export const NEW_STORY: Story = {
  faultAt: undefined,
  phases: {},
  cause: undefined,
  reason: undefined,
  evidence: undefined,
  wouldHave: undefined,
  restarts: 0,
  kills: 0,
  ends: 0,
  starts: 0,
  state: undefined,
  quarantinedMs: undefined,
  held: [],
  others: [],
  steps: [],
};

const sinceFault = ({ faultAt }: Story, now: number): number => Math.round(now - (faultAt ?? now));

export const note = (story: Story, text: string, now: number): Story =>
  story.steps.length >= STEPS_MAX
    ? story
    : {
        ...story,
        steps: [
          ...story.steps,
          { atMs: sinceFault(story, now), text: text.slice(0, STEP_CHARS_MAX) },
        ],
      };

/** Before the fault everything is told at its beginning. */
export const beginFault = (story: Story, text: string, now: number): Story =>
  note({ ...story, faultAt: now }, text, now);

const reach = (story: Story, phase: DrillPhase, text: string, now: number): Story =>
  story.phases[phase] === undefined
    ? note({ ...story, phases: { ...story.phases, [phase]: sinceFault(story, now) } }, text, now)
    : story;

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value.slice(0, 200) : undefined;
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A summary of evidence (evidence/bundle.ts), as short as a report needs it. */
export function briefOf(summary: unknown): DrillReport['evidence'] {
  const processes = listOf(field(summary, 'processes'));
  const more = field(summary, 'processesMore');
  const [main] = processes;
  const found = {
    state: text(field(main, 'state')),
    wchan: text(field(main, 'wchan')),
    threads: text(field(main, 'threadStates')),
    topFrame: text(field(summary, 'topFrame')),
  };
  return {
    processes: processes.length + (typeof more === 'number' ? more : 0),
    logLines: listOf(field(summary, 'logLines')).length,
    ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)),
  };
}

function evidenceText(evidence: DrillReport['evidence']): string {
  const { processes = 0, state, wchan, topFrame, logLines = 0 } = evidence ?? {};
  const what = [
    `${processes} ${processes === 1 ? 'process' : 'processes'}`,
    ...(state === undefined ? [] : [`main thread ${state}`]),
    ...(wchan === undefined || wchan === '0' ? [] : [`in ${wchan}`]),
    ...(topFrame === undefined ? [] : [`at ${topFrame}`]),
    `${logLines} last ${logLines === 1 ? 'line' : 'lines'}`,
  ];
  return `evidence is taken: ${what.join(', ')}`;
}

function hearEvent(story: Story, event: ComponentEvent, now: number): Story {
  switch (event.kind) {
    case 'evidence': {
      const evidence = briefOf(event.summary);
      if (event.phase !== 'confirmed') return { ...story, evidence: story.evidence ?? evidence };
      return reach({ ...story, evidence }, 'evidence', evidenceText(evidence), now);
    }
    case 'exited':
      return {
        ...story,
        ends: story.ends + 1,
        evidence:
          story.evidence ?? (event.evidence === undefined ? undefined : briefOf(event.evidence)),
      };
    case 'spawned': {
      const next = { ...story, starts: story.starts + 1 };
      if (story.starts > 0) return note(next, 'it is started once more', now);
      return reach(next, 'started', 'it is started again', now);
    }
    default:
      return story;
  }
}

type Told = Extract<ComponentEffect, { kind: 'report' }>['event'];

function hearState(story: Story, told: Extract<Told, { kind: 'component_state' }>, now: number) {
  const { to, from, cause, reason } = told.fields;
  const next: Story = { ...story, state: to, cause: story.cause ?? cause };
  if (to === 'suspect') return reach(next, 'suspected', `suspected: ${reason}`, now);
  if (to === 'ready') {
    if (from === 'suspect') return note(next, `no longer suspected: ${reason}`, now);
    return story.starts > 0 ? reach(next, 'ready', 'it is ready again', now) : next;
  }
  if (to === 'quarantined') {
    const quarantinedMs = story.quarantinedMs ?? sinceFault(story, now);
    return note({ ...next, quarantinedMs }, `a human is needed: ${reason}`, now);
  }
  if (to === 'stopping' && cause !== undefined && story.phases.confirmed === undefined) {
    return reach({ ...next, reason }, 'confirmed', `confirmed: ${cause}: ${reason}`, now);
  }
  return next;
}

function hearTold(story: Story, told: Told, now: number): Story {
  switch (told.kind) {
    case 'component_state':
      return hearState(story, told, now);
    case 'incident_opened': {
      const { cause, reason } = told.fields;
      const next: Story = { ...story, cause, reason };
      return reach(next, 'confirmed', `confirmed: ${cause}: ${reason}`, now);
    }
    case 'recovery_suppressed': {
      const { rung, cause, reason, by } = told.fields;
      const known = { cause: story.cause ?? cause, reason: story.reason ?? reason };
      const wouldHave = `${rung} for ${cause}`;
      const why = by === 'hold' ? 'the till is held' : 'it only observes';
      return note({ ...story, ...known, wouldHave }, `would have done: ${wouldHave} (${why})`, now);
    }
    default:
      return story;
  }
}

function hearEffect(
  story: Story,
  effect: ComponentEffect,
  condemned: MachineStep['condemned'],
  now: number,
): Story {
  switch (effect.kind) {
    case 'collect_evidence': {
      if (effect.phase !== 'confirmed') return story;
      const { cause, reason = '' } = condemned ?? {};
      const known = { cause: story.cause ?? cause, reason: story.reason ?? reason };
      const text = `confirmed: ${cause ?? 'a failure'}: ${reason}`;
      return reach({ ...story, ...known }, 'confirmed', text, now);
    }
    case 'kill':
      return reach({ ...story, kills: story.kills + 1 }, 'killed', 'its whole tree is killed', now);
    case 'terminate':
      return note(story, `it is asked to stop: ${effect.reason}`, now);
    case 'count_restart':
      return { ...story, restarts: story.restarts + 1 };
    case 'report':
      return hearTold(story, effect.event, now);
    default:
      return story;
  }
}

export type MachineStep = {
  readonly event: ComponentEvent;
  readonly effects: readonly ComponentEffect[];
  /** Of which it is condemned, if it is. */
  readonly condemned: { readonly cause: Cause; readonly reason: string } | undefined;
};

/** One step of the machine of the component that is drilled. */
export function hear(story: Story, { event, effects, condemned }: MachineStep, now: number): Story {
  if (story.faultAt === undefined) return story;
  let next = hearEvent(story, event, now);
  for (const effect of effects) next = hearEffect(next, effect, condemned, now);
  return next;
}

/** A step of any other component: a drill must touch nobody else. */
export const hearOther = (story: Story, name: string, effects: MachineStep['effects']): Story =>
  story.faultAt !== undefined &&
  !story.others.includes(name) &&
  effects.some(({ kind }) => kind === 'kill')
    ? { ...story, others: [...story.others, name] }
    : story;

export const hearHeld = (story: Story, what: string, by: string, now: number): Story =>
  story.faultAt === undefined
    ? story
    : note({ ...story, held: [...story.held, what] }, `${what} is held by ${by}`, now);
