// The track of one component's incident: what is open, what runs, what a suspicion has gathered so far; and the few
// deeds on it (begin, end, note, unfold, close) of which spans-incident.ts makes the story. Apart from it so that
// what is bounded and what is told at an end can be read without the watchdog's words.

import { createHash } from 'node:crypto';
import { UUID_PATTERN } from '../../protocol/ids.ts';
import { traceOfUuid } from '../../protocol/traceparent.ts';
import type { Attributes, Span } from '../../protocol/traces.ts';
import type { ComponentEffect, ComponentEvent } from '../watchdog/model.ts';
import type { Model } from '../watchdog/state.ts';

/** A loop of crashes may go on for days: what is beyond is counted and not kept. */
export const SPANS_PER_INCIDENT_MAX = 200;
/** Rungs and the like that are told on the span of the whole incident. */
export const MOMENTS_MAX = 32;
/** Looks at a suspicion before it is known whether it becomes an incident. */
const EARLY_MAX = 16;

type Moment = { readonly at: number; readonly name: string; readonly attributes: Attributes };
/** A span of the terminal's monotonic clock; what it is part of is known when it is told. */
export type Part = {
  readonly spanId: string;
  readonly name: string;
  readonly startAt: number;
  readonly endAt: number;
  readonly attributes: Attributes;
  readonly moments?: readonly Moment[];
  readonly status?: Span['status'];
};
export type EndedSpan = Part & { readonly traceId: string; readonly parentSpanId?: string };

/** An incident that is under way; plain data, because it is kept for the next agent. */
export type OpenTrace = {
  readonly incident: string;
  readonly rootId: string;
  readonly startAt: number;
  readonly attributes: Attributes;
  readonly moments: readonly Moment[];
  readonly spans: number;
  /** The whole was told when it went into quarantine, which may last for ever. */
  readonly quarantinedAt?: number | undefined;
  /** Begun by an agent before this one, whose machine knows nothing of it. */
  readonly inherited?: boolean | undefined;
};
type Running = { readonly spanId: string; readonly at: number; readonly attributes: Attributes };
type Step = 'evidence' | 'kill' | 'backoff' | 'start' | 'ready' | 'heal' | 'rung';

export type Track = {
  readonly open: OpenTrace | undefined;
  readonly suspectAt: number | undefined;
  /** Of a suspicion that may pass. */
  readonly early: readonly Part[];
  readonly running: Readonly<Partial<Record<Step, Running>>>;
};
export const NO_TRACK: Track = { open: undefined, suspectAt: undefined, early: [], running: {} };

/** One step of a component's machine: what it was told, what it asks for, and what it was and is. */
export type Stepped = {
  readonly component: string;
  readonly event: ComponentEvent;
  readonly effects: readonly ComponentEffect[];
  readonly before: Model;
  readonly model: Model;
  readonly now: number;
};
export type Traced = {
  readonly track: Track;
  readonly spans: readonly EndedSpan[];
  readonly dropped: number;
};

/** The same for every agent that knows of the incident, and for whoever reads its events. */
export const traceOfIncident = (incident: string): string =>
  UUID_PATTERN.test(incident)
    ? traceOfUuid(incident)
    : createHash('sha256').update(incident).digest('hex').slice(0, 32);

export type TrackDraft = { -readonly [K in keyof Track]: Track[K] };
export type TraceTurn = Stepped & {
  readonly draft: TrackDraft;
  readonly spans: EndedSpan[];
  readonly newId: () => string;
  dropped: number;
};
export const failed = (message: string): Span['status'] => ({ code: 'error', message });

/** Part of the open incident, or of the suspicion that may become one. */
export function add(turn: TraceTurn, part: Part): void {
  const { draft } = turn;
  const { open } = draft;
  if (open === undefined) {
    if (draft.suspectAt !== undefined && draft.early.length < EARLY_MAX) {
      draft.early = [...draft.early, part];
    }
    return;
  }
  if (open.spans >= SPANS_PER_INCIDENT_MAX) {
    turn.dropped += 1;
    return;
  }
  draft.open = { ...open, spans: open.spans + 1 };
  const traceId = traceOfIncident(open.incident);
  turn.spans.push({ ...part, traceId, parentSpanId: open.rootId });
}

export function begin(
  { draft, now, newId }: TraceTurn,
  step: Step,
  attributes: Attributes = {},
): void {
  if (draft.open === undefined && draft.suspectAt === undefined) return;
  const running = { spanId: newId(), at: now, attributes };
  draft.running = { ...draft.running, [step]: draft.running[step] ?? running };
}

export function end(
  turn: TraceTurn,
  step: Step,
  attributes: Attributes = {},
  status?: Span['status'],
): void {
  const { draft, now } = turn;
  const { [step]: ended, ...running } = draft.running;
  if (ended === undefined) return;
  draft.running = running;
  add(turn, {
    spanId: ended.spanId,
    name: step,
    startAt: ended.at,
    endAt: now,
    attributes: { ...ended.attributes, ...attributes },
    ...(status && { status }),
  });
}

export function note({ draft, now }: TraceTurn, name: string, attributes: Attributes): void {
  const { open } = draft;
  if (open === undefined || open.moments.length >= MOMENTS_MAX) return;
  draft.open = { ...open, moments: [...open.moments, { at: now, name, attributes }] };
}

/** The span of the whole. After quarantine it is told already: what is left is how long that lasted. */
export function close(turn: TraceTurn, attributes: Attributes, status: Span['status']): void {
  const { draft, now } = turn;
  const { open } = draft;
  if (open === undefined) return;
  const traceId = traceOfIncident(open.incident);
  const about = { attributes: { ...open.attributes, ...attributes }, endAt: now };
  if (open.quarantinedAt !== undefined) {
    const part = { spanId: turn.newId(), name: 'quarantine', startAt: open.quarantinedAt };
    turn.spans.push({
      ...{ ...part, ...about, traceId, parentSpanId: open.rootId },
      ...(status && { status }),
    });
  } else turn.spans.push(rootOf(open, about, status));
  Object.assign(draft, NO_TRACK);
}

export const rootOf = (
  open: OpenTrace,
  about: Pick<Part, 'attributes' | 'endAt'>,
  status: Span['status'],
): EndedSpan => ({
  ...{ ...about, traceId: traceOfIncident(open.incident), spanId: open.rootId },
  ...{ name: 'incident', startAt: open.startAt, moments: open.moments },
  ...(status && { status }),
});

/** When it was last well, when that became suspicious, and when it was certain. */
type Course = { readonly lostAt: number; readonly confirmedAt: number };

export function unfold(
  turn: TraceTurn,
  { lostAt, confirmedAt }: Course,
  decided: Attributes,
): void {
  const { draft, now, newId } = turn;
  const { early, suspectAt } = draft;
  const startAt = Math.min(lostAt, suspectAt ?? lostAt, now);
  const between = (name: string, from: number, until: number, attributes: Attributes = {}): void =>
    add(turn, { spanId: newId(), name, startAt: from, endAt: Math.max(from, until), attributes });
  draft.early = [];
  draft.suspectAt = undefined;
  between('failure', startAt, suspectAt ?? confirmedAt);
  if (suspectAt !== undefined) between('suspicion', suspectAt, confirmedAt);
  for (const part of early) add(turn, part);
  between('decision', Math.max(startAt, confirmedAt), now, decided);
}
