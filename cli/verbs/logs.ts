// `tillwatch logs TERMINAL`: asks a terminal for the lines of a window of time and shows them while they come
// in. A terminal that is not there answers when it is back: the request waits with the broker, and Ctrl-C
// leaves it there. What was received can be shown again with --request.

import { closeSync, openSync, writeSync } from 'node:fs';
import { AGENT_LOG } from '../../protocol/commands.ts';
import { parseId, UUID_PATTERN } from '../../protocol/ids.ts';
import { LOG_ANSWER_BYTES, LOG_ANSWER_BYTES_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { LogRequestView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { createLines, type LogLine, parseLine, plainLine, shownLine } from '../log-lines.ts';
import { refusedFor } from '../names.ts';
import { plural } from '../screen.ts';
import { localClock, localDay, localStamp, parseSize, parseWhen } from '../when.ts';

const POLL_MS = 150;
/** The broker's own rule. */
const REASON_CHARS_MIN = 3;
const REASON_NEEDED = `say why with --reason, in ${REASON_CHARS_MIN} characters or more: it stands in the audit log`;
/** Said once when nothing has come for so long. */
const PATIENCE_MS = 1_500;

export type LogsOptions = {
  readonly components: readonly string[];
  readonly since: string;
  readonly until: string | undefined;
  readonly maxBytes: string | undefined;
  readonly reason: string;
  readonly output: string | undefined;
  /** Shows an earlier request instead of making one. */
  readonly request: string | undefined;
  readonly wait: boolean;
  /** Standard output is a terminal. */
  readonly isShown: boolean;
  /** A line for the person, not for the pipe. */
  readonly note: (text: string) => void;
  /** Replaces the progress line on a terminal; empty takes it away. */
  readonly progress: (text: string) => void;
};

type Ask = {
  readonly components: readonly string[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly bytesMax: number;
  readonly reason: string;
};

function readAsk(terminal: string, options: LogsOptions, nowMs: number): Result<Ask> {
  const { components, since, until, reason, maxBytes } = options;
  for (const name of components) {
    const named = name === AGENT_LOG ? ok(name) : parseId('component', name);
    if (!named.ok) return named;
  }
  const checked = parseId('terminal', terminal);
  if (!checked.ok) return checked;
  const sinceMs = parseWhen('--since', since, nowMs);
  if (!sinceMs.ok) return sinceMs;
  const untilMs = until === undefined ? ok(nowMs) : parseWhen('--until', until, nowMs);
  if (!untilMs.ok) return untilMs;
  if (untilMs.value < sinceMs.value) return fail('--until is before --since');
  const bytesMax =
    maxBytes === undefined
      ? ok(LOG_ANSWER_BYTES)
      : parseSize('--max-bytes', maxBytes, LOG_ANSWER_BYTES_MAX);
  if (!bytesMax.ok) return bytesMax;
  if (reason.trim().length < REASON_CHARS_MIN) return fail(REASON_NEEDED);
  const window = { sinceMs: sinceMs.value, untilMs: untilMs.value, bytesMax: bytesMax.value };
  return ok({ components, ...window, reason });
}

/** Where received bytes go: a file as they are, or lines to the screen or the pipe. */
type Sink = { readonly take: (bytes: Uint8Array) => void; readonly end: () => readonly LogLine[] };

function openSink(context: Context, { output, isShown }: LogsOptions): Result<Sink> {
  if (output !== undefined) {
    try {
      // Logs are nobody else's business on this machine either.
      const file = openSync(output, 'w', 0o600);
      const end = (): readonly LogLine[] => {
        closeSync(file);
        return [];
      };
      return ok({ take: (bytes) => void writeSync(file, bytes), end });
    } catch (error) {
      return fail(`--output: cannot write ${output}: ${(error as Error).message}`);
    }
  }
  const lines = createLines();
  const kept: LogLine[] = [];
  let day = '';
  const show = (line: string): void => {
    const parsed = parseLine(line);
    if (context.json) {
      if (parsed !== undefined) kept.push(parsed);
    } else if (!isShown) context.print(parsed === undefined ? line : plainLine(parsed));
    else if (parsed !== undefined) {
      const today = localDay(parsed.timeMs);
      if (today !== day) context.print(context.style.bold(today));
      day = today;
      context.print(shownLine(parsed, context.style));
    }
  };
  return ok({
    take: (bytes) => {
      for (const line of lines.push(bytes)) show(line);
    },
    end: () => {
      const rest = lines.rest();
      if (rest !== '') show(rest);
      return kept;
    },
  });
}

const size = (bytes: number): string =>
  bytes < 100_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;

const waitingNote = ({ id, terminal, expiresMs }: LogRequestView): string =>
  `${terminal} is not connected: it answers when it is back, until ${localDay(expiresMs)} ` +
  `${localClock(expiresMs).slice(0, 5)}; see it later with "tillwatch logs ${terminal} --request ${id}"`;

/** Follows one request to its end, handing on what arrives. */
async function follow(
  context: Context,
  id: string,
  sink: Sink,
  { note, progress }: LogsOptions,
): Promise<LogRequestView | Outcome> {
  const startedMs = context.nowMs();
  let shownBytes = 0;
  let told = false;
  for (;;) {
    const reply = await context.client.get<LogRequestView>(`/api/v1/logs/${id}`);
    if (!reply.ok) return ended(reply.exit, reply.sentence);
    const view = reply.value;
    if (view.bytes > shownBytes) {
      const path = `/api/v1/logs/${id}/content?offset=${shownBytes}`;
      const content = await context.client.bytes(path);
      if (!content.ok) return ended(content.exit, content.sentence);
      progress('');
      sink.take(content.value);
      shownBytes += content.value.length;
    }
    const isOpen = view.state === 'waiting' || view.state === 'running';
    if (!isOpen && shownBytes >= view.bytes) return view;
    const isSlow = context.nowMs() - startedMs > PATIENCE_MS;
    if (view.state === 'waiting' && !view.connected && isSlow && !told) {
      told = true;
      note(waitingNote(view));
    }
    progress(`${view.terminal}: ${view.state}, ${size(view.bytes)}, ${plural(view.lines, 'line')}`);
    await context.sleep(POLL_MS);
  }
}

function conclude(view: LogRequestView, options: LogsOptions): Outcome {
  const isWatched = options.isShown || options.output !== undefined;
  if (isWatched && view.trace !== undefined) options.note(`trace ${view.trace}`);
  if (view.state !== 'complete') {
    const why = view.error === '' ? '' : `: ${view.error}`;
    return ended(EXIT.failed, `the request for logs ${view.state}${why}`);
  }
  if (view.truncated) {
    options.note(
      `the window holds more than ${size(view.bytesMax)}: lines before ${localStamp(view.fromMs)} ` +
        'are missing; ask with --until for those, or for more with --max-bytes',
    );
  }
  if (isWatched) {
    const masked = view.redactions === 0 ? '' : `, ${plural(view.redactions, 'value')} masked`;
    const where = options.output === undefined ? '' : ` in ${options.output}`;
    options.note(`${plural(view.lines, 'line')}, ${size(view.bytes)}${masked}${where}`);
  }
  return done;
}

async function create(
  context: Context,
  terminal: string,
  options: LogsOptions,
): Promise<Result<string> | Outcome> {
  if (options.request !== undefined) {
    return UUID_PATTERN.test(options.request)
      ? ok(options.request)
      : fail(`--request "${options.request.slice(0, 40)}" is no id of a request`);
  }
  const ask = readAsk(terminal, options, context.nowMs());
  if (!ask.ok) return ask;
  const path = `/api/v1/terminals/${terminal}/logs`;
  const created = await context.client.post<{ id: string }>(path, ask.value);
  if (created.ok) return ok(created.value.id);
  const [component = ''] = options.components;
  return refusedFor(context.client, created, { terminal, component });
}

export async function runLogs(
  context: Context,
  terminal: string,
  options: LogsOptions,
): Promise<Outcome> {
  const id = await create(context, terminal, options);
  if (!('ok' in id)) return id;
  if (!id.ok) return ended(EXIT.usage, id.reason);
  if (!options.wait) {
    if (context.json) printJson(context, { id: id.value });
    else context.print(id.value);
    return done;
  }
  const sink = openSink(context, options);
  if (!sink.ok) return ended(EXIT.usage, sink.reason);
  const view = await follow(context, id.value, sink.value, options);
  options.progress('');
  const lines = sink.value.end();
  if ('exit' in view) return view;
  if (context.json) printJson(context, options.output === undefined ? { ...view, lines } : view);
  return conclude(view, options);
}
