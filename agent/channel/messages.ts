// Lines on the component channel: one JSON object each, at most CHANNEL_LINE_BYTES_MAX bytes, told apart
// by `kind`. The words mirror sd_notify(3), so that anybody who wrote a systemd service knows them.
// Any language can write a line; client.ts is the one for Node.

import * as v from 'valibot';

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const sentence = v.pipe(v.string(), v.maxLength(500));
const ms = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(86_400_000));

/** What a component may say. Unknown kinds are counted and otherwise ignored. */
export const fromComponent = {
  /** First line of every connection. A witness is a thread that watches; its beats prove nothing. */
  hello: v.object({
    kind: v.literal('hello'),
    v: v.literal(1),
    role: v.picklist(['main', 'witness']),
    component: id,
    instance: id,
    token: id,
    pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  }),
  ready: v.object({
    kind: v.literal('ready'),
    metricsUrl: v.optional(v.pipe(v.string(), v.url())),
    /** What runs, where the component knows better than the configuration. */
    version: v.optional(id),
  }),
  status: v.object({ kind: v.literal('status'), text: sentence }),
  /** My main loop turns. `loopDelayMsMax`: its longest delay since the last beat. */
  beat: v.object({ kind: v.literal('beat'), loopDelayMsMax: v.optional(ms) }),
  /** I am starting or stopping and need this much longer; to be said again within it. */
  extend: v.object({ kind: v.literal('extend'), ms }),
  stopping: v.object({ kind: v.literal('stopping') }),
  /** I know that I am sick. */
  trouble: v.object({
    kind: v.literal('trouble'),
    reason: sentence,
    /** A remote party is to blame: told, and not put right by a restart. */
    remote: v.optional(v.boolean()),
  }),
  /** Do not interrupt me for planned work; ends by `idle` or by itself at the ceiling. */
  busy: v.object({ kind: v.literal('busy'), id, reason: sentence, ceilingMs: ms }),
  idle: v.object({ kind: v.literal('idle'), id }),
  /** `leftMs`: of its deadline, for work that began before this connection. */
  begin: v.object({
    kind: v.literal('begin'),
    id,
    name: sentence,
    deadlineMs: ms,
    leftMs: v.optional(ms),
  }),
  touch: v.object({ kind: v.literal('touch'), id }),
  end: v.object({ kind: v.literal('end'), id, ok: v.boolean() }),
  /** One span of a trace that is worth keeping, in the JSON of OTLP; telemetry/spans-channel.ts reads it. */
  span: v.object({ kind: v.literal('span'), otlp: v.record(v.string(), v.unknown()) }),
  /** To an order that has an id. Who does not know an order says nothing. */
  answer: v.object({
    kind: v.literal('answer'),
    id,
    ok: v.boolean(),
    reason: v.optional(sentence),
  }),
  /** From a witness, when asked: what the main thread is doing, innermost frame first. */
  evidence: v.object({
    kind: v.literal('evidence'),
    stack: v.pipe(v.array(v.pipe(v.string(), v.maxLength(300))), v.maxLength(20)),
    /** Why there is none. */
    reason: v.optional(sentence),
  }),
} as const;

export type FromComponent = {
  [K in keyof typeof fromComponent]: v.InferOutput<(typeof fromComponent)[K]>;
}[keyof typeof fromComponent];

/** What the agent may say. */
export type ToComponent =
  | { readonly kind: 'welcome'; readonly beatMs: number; readonly deadlineMs: number }
  | { readonly kind: 'stop'; readonly graceMs: number; readonly reason: string }
  | { readonly kind: 'heal' }
  /** To a witness: tell the stack of the main thread. */
  | { readonly kind: 'evidence' }
  /** Log so much until then (wall clock); a moment that is past: as before. Answered where it has an id. */
  | {
      readonly kind: 'level';
      readonly id: string;
      readonly level: string;
      readonly untilMs: number;
    }
  /** Close a device and open it again; answered when that is done. */
  | { readonly kind: 'reopen'; readonly id: string; readonly device: string };

export type LineFault = 'not_json' | 'unknown_kind' | 'bad_line';
export type ReadLine =
  | { readonly ok: true; readonly message: FromComponent }
  | { readonly ok: false; readonly fault: LineFault; readonly reason: string };

/** Total over any text: a value, or what is wrong with it. */
export function readLine(line: string): ReadLine {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { ok: false, fault: 'not_json', reason: 'the line is not JSON' };
  }
  const kind = typeof parsed === 'object' && parsed !== null && 'kind' in parsed && parsed.kind;
  if (typeof kind !== 'string') {
    return { ok: false, fault: 'bad_line', reason: 'the line is no object with a kind' };
  }
  if (!Object.hasOwn(fromComponent, kind)) {
    return { ok: false, fault: 'unknown_kind', reason: `unknown kind ${kind.slice(0, 64)}` };
  }
  const checked = v.safeParse(fromComponent[kind as keyof typeof fromComponent], parsed);
  if (checked.success) return { ok: true, message: checked.output };
  const [issue] = checked.issues;
  const reason = `${kind}: ${v.getDotPath(issue) ?? 'line'}: ${issue.message}`;
  return { ok: false, fault: 'bad_line', reason };
}
