// What a request for logs becomes on the terminal: the bytes that answer it, settled once and written down,
// so that an agent that was killed goes on with the very same answer. Of a window that holds more than was
// asked for, the newest lines are taken: whoever asks for the last ten minutes means now.

import * as v from 'valibot';
import { AGENT_LOG, type Command } from '../../protocol/commands.ts';
import { stamp } from '../../redact/index.ts';
import {
  bytesOf,
  componentSource,
  type Lessons,
  lineBytesOf,
  rotatedSource,
  type Source,
  segmentSchema,
  segmentSteps,
  type Window,
} from './journal.ts';
import { finish, type Steps } from './steps.ts';

export const planSchema = v.object({
  command: v.string(),
  request: v.string(),
  /** Of all lines, where it is one. */
  component: v.string(),
  expiresMs: v.number(),
  bytesMax: v.number(),
  /** What was added to the terminal's clock when it was made; lines carry corrected times, as samples do. */
  offsetMs: v.number(),
  redactor: v.string(),
  truncated: v.boolean(),
  fromMs: v.number(),
  segments: v.array(segmentSchema),
  /** The answer lies there already, and goes when it was sent. */
  file: v.optional(v.string()),
});
export type Plan = v.InferOutput<typeof planSchema>;

export type LogsCommand = Extract<Command, { kind: 'logs' }>;

export type Places = {
  readonly logDir: string;
  /** The agent's own. */
  readonly ownLog: string;
  readonly components: readonly string[];
};

/** What stands before each line of an answer: time, component, brackets and blanks. */
const PREFIX_BYTES = 30;
/** Lines are of different lengths: rather a little less than too much. */
const FILL_RATIO = 0.9;
/** Halvings of the window: from millennia to a millisecond; it ends before when what is found fills the room. */
const NARROWINGS_MAX = 48;
const FULL_RATIO = 0.85;

type Found = Pick<Plan, 'segments' | 'fromMs'>;
type Search = { readonly sources: readonly Source[]; readonly lessons: Lessons };

/** The newest lines that fit into the room: the window is halved, and halved again. */
function* narrow({ sources, lessons }: Search, window: Window, all: Found, room: number) {
  let early = Math.max(window.sinceMs, Math.min(...all.segments.map(({ baseMs }) => baseMs)));
  let late = Math.max(early, window.untilMs);
  let fit: Found = { segments: [], fromMs: late };
  for (let turn = 0; turn < NARROWINGS_MAX && late - early > 1; turn += 1) {
    const middle = Math.floor((early + late) / 2);
    const segments = yield* segmentSteps(sources, { ...window, sinceMs: middle }, lessons);
    if (bytesOf(segments) > room) early = middle;
    else {
      late = middle;
      fit = { segments, fromMs: middle };
      if (bytesOf(segments) > room * FULL_RATIO) break;
    }
  }
  return fit;
}

/** @throws what reading a file throws. */
export function* planSteps(command: LogsCommand, places: Places, offsetMs: number): Steps<Plan> {
  const { request, bytesMax, sinceMs, untilMs, components: asked } = command.arguments;
  const components = asked.length === 0 ? places.components : asked;
  const sources = components.map((component) =>
    component === AGENT_LOG && !places.components.includes(AGENT_LOG)
      ? rotatedSource(component, places.ownLog)
      : componentSource(places.logDir, component),
  );
  const window = { sinceMs: sinceMs - offsetMs, untilMs: untilMs - offsetMs };
  const search = { sources, lessons: new Map() };
  const found = yield* segmentSteps(sources, window, search.lessons);
  const all = { segments: found, fromMs: window.sinceMs };
  const room = (bytesMax * FILL_RATIO) / (1 + PREFIX_BYTES / lineBytesOf(all.segments));
  const truncated = bytesOf(all.segments) > room;
  const { segments, fromMs } = truncated ? yield* narrow(search, window, all, room) : all;
  return {
    ...{ command: command.id, request, expiresMs: command.expiresMs, bytesMax, offsetMs },
    ...{ redactor: stamp(), truncated, fromMs: Math.max(0, fromMs + offsetMs), segments },
    component: components.length === 1 ? (components[0] ?? '') : '',
  };
}

export const planLogs = (command: LogsCommand, places: Places, offsetMs: number): Plan =>
  finish(planSteps(command, places, offsetMs));
