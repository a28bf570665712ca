// What `tillwatch logs` is told on the command line, and what it makes of that for the broker: the window, which records,
// how much. Everything that is wrong is said before anything is asked of anybody.

import { LOG_LEVELS, type LogLevel } from '../../protocol/catalogue.ts';
import { AGENT_LOG } from '../../protocol/commands.ts';
import { parseId } from '../../protocol/ids.ts';
import * as limits from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Selector } from '../selector.ts';
import { wrongReason } from '../verbs/command.ts';
import { parseDuration, parseSize, parseWhen } from '../when.ts';
import type { Zone } from '../zone.ts';

/** Without --since and --last. */
const SINCE = '10m';

export type LogsOptions = {
  readonly components: readonly string[];
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly last?: string | undefined;
  readonly level?: string | undefined;
  /** A text to look for, or a regular expression. */
  readonly grep?: string | undefined;
  readonly pattern?: string | undefined;
  readonly context?: string | undefined;
  readonly maxBytes?: string | undefined;
  /** How long the terminal may search. */
  readonly searchFor?: string | undefined;
  readonly reason: string;
  readonly output?: string | undefined;
  /** Shows an earlier request instead of making one. */
  readonly request?: string | undefined;
  /** What is printed from now on. */
  readonly follow?: boolean | undefined;
  /** Of --follow: how long, and at which level the components log meanwhile. */
  readonly lasts?: string | undefined;
  readonly raise?: string | undefined;
  /** Instead of naming terminals. */
  readonly selector?: Selector | undefined;
  readonly utc?: boolean | undefined;
  readonly wait: boolean;
  /** Standard output is a terminal. */
  readonly isShown: boolean;
  /** A line for the person, not for the pipe. */
  readonly note: (text: string) => void;
  /** Replaces the progress line on a terminal; empty takes it away. */
  readonly progress: (text: string) => void;
  /** Ctrl-C: whoever follows has seen enough. */
  readonly enough?: AbortSignal | undefined;
};

type Records = {
  readonly components: readonly string[];
  readonly level?: LogLevel;
  readonly text?: string;
  readonly bytesMax: number;
  readonly reason: string;
};
export type Ask = Records & {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly pattern?: string;
  readonly last?: number;
  readonly context?: number;
  readonly searchMs?: number;
};
export type TailAsk = Records & { readonly forMs: number; readonly raise?: LogLevel };

function readLevel(name: string, text: string): Result<LogLevel> {
  const level = LOG_LEVELS.find((one) => one === text);
  return level === undefined ? fail(`${name}: one of ${LOG_LEVELS.join(', ')}`) : ok(level);
}

function readCount(name: string, text: string, least: number, most: number): Result<number> {
  const count = text === '' ? Number.NaN : Number(text);
  const fits = Number.isInteger(count) && count >= least && count <= most;
  return fits ? ok(count) : fail(`${name}: a whole number from ${least} to ${most}`);
}

function readText(name: string, text: string): Result<string> {
  if (text !== '' && text.length <= limits.LOG_PATTERN_CHARS_MAX) return ok(text);
  return fail(`${name}: 1 to ${limits.LOG_PATTERN_CHARS_MAX} characters`);
}

/** Only what was said; the first thing that is wrong is the answer. */
function readAll(fields: Readonly<Record<string, Result<unknown> | undefined>>): Result<object> {
  const given = Object.entries(fields).flatMap(([name, read]) => (read ? [[name, read]] : []));
  const read = given as [string, Result<unknown>][];
  for (const [, one] of read) if (!one.ok) return one;
  return ok(Object.fromEntries(read.map(([name, one]) => [name, one.ok ? one.value : undefined])));
}

const onlyIf = <T>(text: string | undefined, read: (text: string) => Result<T>) =>
  text === undefined ? undefined : read(text);

function recordFields({ components, level, grep, maxBytes, reason }: LogsOptions) {
  const wrong = wrongReason(reason);
  const names = components.map((name) =>
    name === AGENT_LOG ? ok(name) : parseId('component', name),
  );
  const { LOG_ANSWER_BYTES, LOG_ANSWER_BYTES_MAX } = limits;
  return {
    components: names.find((name) => !name.ok) ?? ok(components),
    level: onlyIf(level, (text) => readLevel('--level', text)),
    text: onlyIf(grep, (text) => readText('--grep', text)),
    bytesMax:
      onlyIf(maxBytes, (text) => parseSize('--max-bytes', text, LOG_ANSWER_BYTES_MAX)) ??
      ok(LOG_ANSWER_BYTES),
    reason: wrong === undefined ? ok(reason) : fail(wrong),
  };
}

/** @param zone of times that name none */
export function readAsk(options: LogsOptions, nowMs: number, zone: Zone): Result<Ask> {
  const { since, until, last, pattern, grep, context, searchFor } = options;
  if (grep !== undefined && pattern !== undefined) {
    return fail('--grep looks for a text and --pattern for a regular expression: use one of them');
  }
  // The newest of all there is, unless somebody says since when.
  const sinceText = since ?? (last === undefined ? SINCE : undefined);
  const sinceMs = onlyIf(sinceText, (text) => parseWhen('--since', text, nowMs, zone)) ?? ok(0);
  const untilMs = onlyIf(until, (text) => parseWhen('--until', text, nowMs, zone)) ?? ok(nowMs);
  if (sinceMs.ok && untilMs.ok && untilMs.value < sinceMs.value) {
    return fail('--until is before --since');
  }
  const { LOG_LAST_MAX, LOG_CONTEXT_MAX, LOG_SEARCH_MS_MAX } = limits;
  const read = readAll({
    ...recordFields(options),
    ...{ sinceMs, untilMs },
    pattern: onlyIf(pattern, (text) => readText('--pattern', text)),
    last: onlyIf(last, (text) => readCount('--last', text, 1, LOG_LAST_MAX)),
    context: onlyIf(context, (text) => readCount('--context', text, 0, LOG_CONTEXT_MAX)),
    searchMs: onlyIf(searchFor, (text) =>
      parseDuration('--search-for', text, 1_000, LOG_SEARCH_MS_MAX),
    ),
  });
  return read as Result<Ask>;
}

const NOT_OF_FOLLOW = ['since', 'until', 'last', 'pattern', 'context', 'searchFor'] as const;

export function readTailAsk(options: LogsOptions): Result<TailAsk> {
  const past = NOT_OF_FOLLOW.find((name) => options[name] !== undefined);
  if (past !== undefined) {
    const name = past === 'searchFor' ? 'search-for' : past;
    return fail(`--follow shows what is printed from now on and knows no --${name}`);
  }
  const { TAIL_MS, TAIL_MS_MAX } = limits;
  const read = readAll({
    ...recordFields(options),
    forMs:
      onlyIf(options.lasts, (text) => parseDuration('--for', text, 1_000, TAIL_MS_MAX)) ??
      ok(TAIL_MS),
    raise: onlyIf(options.raise, (text) => readLevel('--raise', text)),
  });
  return read as Result<TailAsk>;
}
