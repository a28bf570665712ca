// Where the agent's spans are finished: the steps of the watchdog go through the tracks of spans-incident.ts, what
// ended gets its time, loses its card data and goes to the outbox. What is open is kept in a small file, so that the
// next agent ends what this one could not see the end of, under the same trace. Not @opentelemetry/api: it would
// cost 0.4 MB of a till and give nothing here, where every span is written after the fact (measured, 24.21).

import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import type { NewEvent } from '../../protocol/events.ts';
import { SPAN_BYTES_MAX } from '../../protocol/limits.ts';
import type { Result } from '../../protocol/result.ts';
import { type Attributes, faultOf, type Span, spanBytes } from '../../protocol/traces.ts';
import type { Component } from '../component.ts';
import type { Clock, Log } from '../ports.ts';
import type { Model } from '../watchdog/state.ts';
import { readOtlpSpan, SpanPace } from './spans-channel.ts';
import { cleanSpan } from './spans-clean.ts';
import { commandSpan, type TraceCommand } from './spans-command.ts';
import { traceReboot, traceStep } from './spans-incident.ts';
import {
  type EndedSpan,
  NO_TRACK,
  type OpenTrace,
  type Stepped,
  type Track,
  traceOfIncident,
} from './spans-track.ts';
import type { BrokerTime } from './time.ts';

const FILE_BYTES_MAX = 256 * 1024;
/** Events without any effect that still end a span. */
const ENDING: ReadonlySet<string> = new Set(['evidence', 'spawned', 'healed', 'launch', 'refused']);
/** Events that tell of an incident: whoever reads one finds the trace by it. */
const TELLING: ReadonlySet<string> = new Set([
  'incident_opened',
  'incident_recovered',
  'incident_quarantined',
  'recovery_suppressed',
]);

export type SpanDrop = 'invalid' | 'too_large' | 'too_many' | 'rate';

export type SpansOptions = {
  readonly path: string;
  readonly components: readonly string[];
  readonly version: string;
  readonly clock: Clock;
  readonly time: BrokerTime;
  readonly log: Log;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  /** In the background: a disk that hangs must not stop who supervises. */
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  readonly add: (spans: readonly Span[], resource: Attributes) => void;
};

const attribute = v.union([v.string(), v.number(), v.boolean()]);
const attributes = v.record(v.string(), attribute);
const openSchema = v.object({
  component: v.string(),
  incident: v.string(),
  rootId: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  startMs: v.number(),
  attributes,
  moments: v.array(v.object({ timeMs: v.number(), name: v.string(), attributes })),
  spans: v.number(),
  quarantinedMs: v.optional(v.number()),
});
const fileSchema = v.object({ open: v.pipe(v.array(openSchema), v.maxLength(1_000)) });
type Kept = v.InferOutput<typeof openSchema>;

export const newSpanId = (): string => randomBytes(8).toString('hex');

/** The event, and under which trace its story is. */
export const withTrace = (event: NewEvent): NewEvent =>
  TELLING.has(event.kind) && 'incident' in event.fields
    ? ({
        ...event,
        fields: { ...event.fields, trace: traceOfIncident(String(event.fields.incident)) },
      } as NewEvent)
    : event;

export class Spans {
  readonly #options: SpansOptions;
  readonly #tracks = new Map<string, Track>();
  readonly #own: Attributes;
  readonly #pace = new SpanPace();
  readonly #dropped = new Map<SpanDrop, number>();
  /** Broker's time at monotonic 0, the same for all of one incident; `known`: it is not only our own clock. */
  #base = { ms: 0, known: false };
  #writing: Promise<void> | undefined;
  #changed = false;

  constructor(options: SpansOptions) {
    this.#options = options;
    this.#own = { 'service.name': 'tillwatch-agent', 'service.version': options.version };
    this.#recall();
  }

  /** What an agent before this one had open. */
  #recall(): void {
    const { path, read, log, components } = this.#options;
    const text = read(path, FILE_BYTES_MAX);
    if (text === undefined) return;
    let kept: readonly Kept[] = [];
    try {
      kept = v.parse(fileSchema, JSON.parse(text)).open;
    } catch {
      log.warn(`${path} cannot be read: traces of an agent before stay without their end`);
    }
    this.#rebase();
    const at = (ms: number): number => ms - this.#base.ms;
    for (const { component, startMs, moments, quarantinedMs, ...rest } of kept) {
      const open: OpenTrace = {
        ...rest,
        startAt: at(startMs),
        moments: moments.map(({ timeMs, ...moment }) => ({ ...moment, at: at(timeMs) })),
        inherited: true,
        ...(quarantinedMs === undefined ? {} : { quarantinedAt: at(quarantinedMs) }),
      };
      if (components.includes(component)) this.#tracks.set(component, { ...NO_TRACK, open });
    }
    if (kept.length > this.#tracks.size) this.#keep();
  }

  /** After each step of a component's machine; most of them are of no interest and cost nothing here. */
  step(
    { name, model }: { readonly name: string; readonly model: Model },
    event: Stepped['event'],
    effects: Stepped['effects'],
    before: Model,
    now: number,
  ): void {
    if (effects.length === 0 && !ENDING.has(event.kind)) return;
    const track = this.#tracks.get(name) ?? NO_TRACK;
    const stepped = { component: name, event, effects, before, model, now };
    const next = traceStep(track, stepped, newSpanId);
    this.#set(name, track, next.track);
    if (next.dropped > 0) this.#drop('too_many', next.dropped);
    if (next.spans.length > 0) this.#send(next.spans);
  }

  /** What takes more than one component is told by the plan, not by a component's machine. */
  told(event: NewEvent): void {
    if (event.kind !== 'reboot') return;
    for (const [component, track] of this.#tracks) {
      if (track.open?.incident !== event.fields.incident) continue;
      const now = this.#options.clock.monotonicMs();
      this.#set(component, track, traceReboot(track, event.fields.reason, now));
    }
  }

  #set(component: string, before: Track, after: Track): void {
    if (after === before) return;
    if (this.#isCalm()) this.#rebase();
    if (after.open === undefined && after.suspectAt === undefined) this.#tracks.delete(component);
    else this.#tracks.set(component, after);
    // A count of spans is not worth a write; what a kill takes of it is only a limit.
    const { open } = before;
    const isSame =
      open?.rootId === after.open?.rootId &&
      open?.moments.length === after.open?.moments.length &&
      open?.quarantinedAt === after.open?.quarantinedAt;
    if (!isSame) this.#keep();
  }

  #isCalm(): boolean {
    return this.#tracks.size === 0;
  }

  #rebase(): void {
    const { clock, time } = this.#options;
    this.#base = { ms: time.nowMs() - clock.monotonicMs(), known: time.known() };
  }

  /** One base for a whole incident, or a child could begin before its parent; unless it was only a guess. */
  #timeOf(at: number): number {
    if (!this.#base.known && this.#options.time.known()) this.#rebase();
    return Math.max(0, this.#base.ms + at);
  }

  #send(ended: readonly EndedSpan[]): void {
    this.#add(ended.map((one) => this.#spanOf(one)));
  }

  readonly command: TraceCommand = (before, entry, sinceMs) => {
    const span = commandSpan(before, entry, sinceMs, this.#options.time.nowMs());
    if (span !== undefined) this.#add([span]);
  };

  /** What components say of their own traces. */
  listen(components: readonly Component[]): void {
    for (const component of components) {
      component.onSpan = (otlp) => this.#hear(component.name, component.version, otlp);
    }
  }

  #hear(component: string, version: string, otlp: unknown): void {
    const { clock, time } = this.#options;
    if (!this.#pace.take(component, clock.monotonicMs())) {
      this.#drop('rate', 1);
      return;
    }
    const read = readOtlpSpan(otlp, time.nowMs(), time.offsetMs());
    if (read.ok) this.#add([read.value], { 'service.name': component, 'service.version': version });
    else this.#drop('invalid', 1);
  }

  #add(made: readonly Span[], resource: Attributes = this.#own): void {
    const { add } = this.#options;
    const spans: Span[] = [];
    for (const one of made) {
      const span = cleanSpan(one);
      if (faultOf(span) !== undefined) this.#drop('invalid', 1);
      else if (spanBytes(span) > SPAN_BYTES_MAX) this.#drop('too_large', 1);
      else spans.push(span);
    }
    if (spans.length === 0) return;
    add(spans, resource);
  }

  #spanOf({ startAt, endAt, moments = [], status, ...span }: EndedSpan): Span {
    const startMs = this.#timeOf(startAt);
    return {
      ...span,
      ...(status && { status }),
      kind: 'internal',
      startMs,
      // What an agent before began may lie ahead of a clock that was put back since.
      endMs: Math.max(startMs, this.#timeOf(endAt)),
      events: moments.map(({ at, ...moment }) => ({ ...moment, timeMs: this.#timeOf(at) })),
    };
  }

  #drop(reason: SpanDrop, count: number): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + count);
  }

  dropped(): Readonly<Partial<Record<SpanDrop, number>>> {
    return Object.fromEntries(this.#dropped);
  }

  /** One write at a time; what changes meanwhile is written after it. */
  #keep(): void {
    this.#changed = true;
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    const { path, write, log } = this.#options;
    while (this.#changed) {
      this.#changed = false;
      const written = await write(path, JSON.stringify({ open: this.#open() }));
      if (!written.ok) log.error(`open traces: ${written.reason}`);
    }
    this.#writing = undefined;
  }

  #open(): Kept[] {
    return [...this.#tracks].flatMap(([component, { open }]) => {
      if (open === undefined) return [];
      const { startAt, moments, quarantinedAt, inherited: _, ...rest } = open;
      return {
        ...{ ...rest, component, startMs: this.#timeOf(startAt) },
        moments: moments.map(({ at, ...moment }) => ({ ...moment, timeMs: this.#timeOf(at) })),
        ...(quarantinedAt === undefined ? {} : { quarantinedMs: this.#timeOf(quarantinedAt) }),
      };
    });
  }

  /** When what is open is written. */
  settled(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }
}
