// A line of JSON as loggers write it: winston, pino, bunyan, zap, slog, log4j's layouts, Logstash, ECS, Serilog's compact
// form, GELF, Docker's files. Names differ, meanings do not: the first of the names that has a value which makes sense
// is taken. A line that was cut is no JSON any more; then the same names are looked for in its text. Pure.

import type { LogLevel } from '../../../protocol/catalogue.ts';
import { levelOfNumber, levelOfTag } from './levels.ts';
import { msOfValue, plausible } from './times.ts';

export type Facts = {
  readonly timeMs?: number;
  readonly level?: LogLevel;
  /** What is said, without the time and level before it. */
  readonly message?: string;
};

type Json = Readonly<Record<string, unknown>>;

const TIMES = [
  ...['timestamp', 'time', '@timestamp', 'ts', '@t', 't', 'timeMillis', 'datetime', 'date'],
  ...['asctime', 'eventTime', 'Timestamp', 'Time', 'TimeStamp', 'log_time'],
];
const LEVELS = [
  ...['level', 'severity', 'log.level', '@l', 'lvl', 'levelname', 'severityText', 'LogLevel'],
  ...['loglevel', 'log_level', 'Level', 'Severity', 'SeverityText', 'severity_text', 'priority'],
];
const MESSAGES = ['message', 'msg', '@m', '@mt', 'log', 'text', 'Message', 'short_message', 'body'];

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Colours stay in a level that winston coloured before it made JSON. */
const bare = (value: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  value.slice(0, 64).replaceAll(/\x1b\[[0-9;]*m|[^A-Za-z]/g, '');

function levelOf(value: unknown): LogLevel | undefined {
  if (typeof value === 'number') return levelOfNumber(value);
  if (typeof value !== 'string') return undefined;
  return /^\d{1,3}$/.test(value) ? levelOfNumber(Number(value)) : levelOfTag(bare(value));
}

function timeOf(json: Json, nearMs: number | undefined): number | undefined {
  for (const name of TIMES) {
    const value = json[name];
    const ms = value === undefined ? undefined : msOfValue(value, nearMs);
    if (ms !== undefined) return ms;
  }
  // log4j2's own layout.
  const instant = json['instant'];
  if (!isObject(instant)) return undefined;
  const { epochSecond, nanoOfSecond } = instant;
  if (typeof epochSecond !== 'number') return undefined;
  return plausible(epochSecond * 1e3 + (Number(nanoOfSecond) || 0) / 1e6);
}

function levelIn(json: Json): LogLevel | undefined {
  // Python counts from 10 as pino does, but its info is 20.
  const { levelno } = json;
  if (typeof levelno === 'number') return levelOfNumber(levelno + 10);
  for (const name of LEVELS) {
    const level = json[name] === undefined ? undefined : levelOf(json[name]);
    if (level !== undefined) return level;
  }
  const { log } = json;
  return isObject(log) ? levelOf(log['level']) : undefined;
}

function messageIn(json: Json): string | undefined {
  for (const name of MESSAGES) {
    const value = json[name];
    if (typeof value === 'string') return value;
  }
  return undefined;
}

/** What is cut is searched in its begin; a quote that is escaped belongs to a text within. */
const CUT_CHARS = 4_096;
const CUT_TIME =
  /(?<!\\)"(?:timestamp|@timestamp|time|ts|@t)":\s?(?:"([^"\\]{8,40})"|(\d{10,19}(?:\.\d{1,9})?))/;
const CUT_LEVEL =
  /(?<!\\)"(?:level|severity|log\.level|@l|lvl|levelname)":\s?(?:"([A-Za-z]{1,13})"|(\d{1,3})\b)/;

function ofCut(line: string, nearMs: number | undefined): Facts {
  const head = line.slice(0, CUT_CHARS);
  const [, text, digits] = CUT_TIME.exec(head) ?? [];
  const [, word, number] = CUT_LEVEL.exec(head) ?? [];
  const timeMs = msOfValue(text ?? digits, nearMs);
  const level = word === undefined ? levelOf(number) : levelOfTag(word);
  return { ...(timeMs === undefined ? {} : { timeMs }), ...(level === undefined ? {} : { level }) };
}

/** @param line begins with `{`. */
export function readJson(line: string, nearMs: number | undefined): Facts {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return ofCut(line, nearMs);
  }
  if (!isObject(json)) return {};
  const [timeMs, level, message] = [timeOf(json, nearMs), levelIn(json), messageIn(json)];
  return {
    ...(timeMs === undefined ? {} : { timeMs }),
    ...(level === undefined ? {} : { level }),
    ...(message === undefined ? {} : { message }),
  };
}
