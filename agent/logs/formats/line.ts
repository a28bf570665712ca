// What a line says of itself: when, how serious, and what. Most are decided by their first character: `{` is JSON, a digit
// is a time, `<` is syslog's number, a blank goes on with the line before. Behind the time a level is looked for where
// loggers put one: in brackets, between bars, in capitals or before a colon, within the first few words; further back
// a word is only a word. Bounded to the head of the line, so that a long line costs no more than a short one. Pure.

import type { LogLevel } from '../../../protocol/catalogue.ts';
import { type Facts, readJson } from './json.ts';
import { levelOfNumber, levelOfSeverity, levelOfTag, levelOfWord } from './levels.ts';
import { type Head, msOfGlog, msOfValue, timeAtHead } from './times.ts';

export type { Facts } from './json.ts';

/** Behind the time, this is looked at. */
const HEAD_CHARS = 240;
/** Words before a level: a thread, a class, a process. */
const WORDS_MAX = 6;

type Said = { readonly level: LogLevel; readonly end: number };

const NO_FACTS: Facts = {};

const facts = (
  timeMs: number | undefined,
  level: LogLevel | undefined,
  message: string,
): Facts => ({
  ...(timeMs === undefined ? {} : { timeMs }),
  ...(level === undefined ? {} : { level }),
  ...(timeMs === undefined && level === undefined ? {} : { message }),
});

/** What may stand between time, level and message. */
const GLUE = /[\s\]|:,;>)–-]/;

function afterGlue(line: string, from: number): number {
  let at = from;
  while (at < line.length && GLUE.test(line[at] ?? '')) at += 1;
  return at;
}

const OPENERS = '[(<|"';
const isOpener = (character: string | undefined): boolean =>
  character !== undefined && OPENERS.includes(character);
const CLOSERS = '])>|":/';
/** Words that also begin a sentence are a level only when they look like one. */
const PLAIN = new Set(
  'error err fatal critical severe warn warning wrn info information notice debug trace verbose'.split(
    ' ',
  ),
);
const WORD = /[A-Za-z]+/y;
const NEXT = /[\s|[(<"]+/y;
const TOKEN = /[^\s|]+/y;

/**
 * The first of a few words that is a level by how it stands.
 * @param isFirst the word at `from` stands where a level usually is.
 */
function levelFrom(line: string, from: number, isFirst: boolean): Said | undefined {
  const most = Math.min(line.length, from + HEAD_CHARS);
  let at = from;
  for (let words = 0; words < WORDS_MAX && at < most; words += 1) {
    NEXT.lastIndex = at;
    if (NEXT.test(line)) at = NEXT.lastIndex;
    const said = levelAt(line, at, isFirst && words === 0) ?? apacheLevel(line, at);
    if (said !== undefined) return said;
    TOKEN.lastIndex = at;
    if (!TOKEN.test(line)) return undefined;
    at = TOKEN.lastIndex;
  }
  return undefined;
}

function levelAt(line: string, at: number, isFirst: boolean): Said | undefined {
  WORD.lastIndex = at;
  const [word] = WORD.exec(line) ?? [];
  if (word === undefined || word.length > 13) return undefined;
  const end = at + word.length;
  const [before, after] = [line[at - 1], line[end]];
  const isEnclosed = isOpener(before) && after !== undefined && CLOSERS.includes(after);
  const level = isEnclosed ? levelOfTag(word) : levelOfWord(word);
  if (level === undefined) return undefined;
  const isEnd = after === undefined || /[\s\])>|":/,;-]/.test(after);
  if (!isEnd) return undefined;
  const isCapital = word === word.toUpperCase();
  const isMarked = isEnclosed || isCapital || after === ':' || (before === '|' && after === '|');
  if (!isMarked && !(isFirst && PLAIN.has(word.toLowerCase()))) return undefined;
  return { level, end };
}

const APACHE = /\[\w+:([a-z]{2,13}\d?)\]/y;

/** `[module:level]` */
function apacheLevel(line: string, at: number): Said | undefined {
  if (line[at - 1] !== '[') return undefined;
  APACHE.lastIndex = at - 1;
  const [all = '', word = ''] = APACHE.exec(line) ?? [];
  const level = levelOfWord(word.replace(/\d$/, ''));
  return level === undefined ? undefined : { level, end: at - 1 + all.length };
}

function plain(line: string, from: number, timeMs: number | undefined): Facts {
  const keyed = timeMs === undefined ? undefined : keyedLevel(line, from);
  const said = keyed ?? levelFrom(line, from, true);
  const end = said?.end ?? from;
  return facts(timeMs, said?.level, line.slice(afterGlue(line, end)));
}

const KEYED = /(?:^|[ ,|])(?:level|lvl|severity|log\.level)="?([A-Za-z]{1,13}|\d{1,3})"?/;

function keyedLevel(line: string, from: number): Said | undefined {
  const head = line.slice(from, from + HEAD_CHARS);
  if (!head.includes('=')) return undefined;
  const [all = '', value = ''] = KEYED.exec(head) ?? [];
  const level = value === '' ? undefined : levelOfKey(value);
  return level === undefined ? undefined : { level, end: from + head.indexOf(all) + all.length };
}

const levelOfKey = (value: string): LogLevel | undefined =>
  /^\d/.test(value) ? levelOfNumber(Number(value)) : levelOfTag(value);

const LOGFMT = /^[A-Za-z_@][\w.@-]{0,40}=/;
const LOGFMT_HEAD_CHARS = 1_024;
const LOGFMT_TIME = /(?:^|\s)(?:time|ts|timestamp|t|@timestamp)=(?:"([^"]{8,40})"|([^\s"]{8,40}))/;
const LOGFMT_MESSAGE = /(?:^|\s)(?:msg|message)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/;

function ofLogfmt(line: string, nearMs: number | undefined): Facts {
  const head = line.slice(0, LOGFMT_HEAD_CHARS);
  const [, quoted, bare] = LOGFMT_TIME.exec(head) ?? [];
  const timeMs = msOfValue(quoted ?? bare, nearMs);
  const [, value] = KEYED.exec(head) ?? [];
  const level = value === undefined ? undefined : levelOfKey(value);
  const [, text, word] = LOGFMT_MESSAGE.exec(head) ?? [];
  return facts(timeMs, level, text ?? word ?? line);
}

const PRIORITY = /^<(\d{1,3})>(?:1 )?/;

/** The number before a line of syslog, or before one for systemd [RFC 5424 6.2.1, sd-daemon(3)]. */
function ofSyslog(line: string, nearMs: number | undefined): Facts {
  const [all, digits] = PRIORITY.exec(line) ?? [];
  if (all === undefined || Number(digits) > 191) return plain(line, 0, undefined);
  const head = timeIn(line, all.length, nearMs);
  const end = head?.end ?? all.length;
  const message = line.slice(afterGlue(line, end));
  return facts(head?.timeMs, levelOfSeverity(Number(digits) % 8), message);
}

function timeIn(line: string, from: number, nearMs: number | undefined): Head | undefined {
  const head = timeAtHead(line.slice(from, from + HEAD_CHARS), nearMs);
  return head === undefined ? undefined : { timeMs: head.timeMs, end: from + head.end };
}

const GLOG = /^([EFWID])(\d{4} \d\d:\d\d:\d\d[.,]\d{3,6})/;

function ofGlog(line: string, nearMs: number | undefined): Facts | undefined {
  const [all, letter = '', text = ''] = GLOG.exec(line) ?? [];
  if (all === undefined) return undefined;
  const timeMs = msOfGlog(text, nearMs)?.timeMs;
  return facts(timeMs, levelOfTag(letter), line.slice(all.length).trimStart());
}

/** A level first, and then a time, as the event log of Windows is printed. */
const TIME_BEHIND = /^[\s\]):|,-]{1,4}\[?/;

function ofWord(line: string, nearMs: number | undefined): Facts {
  const glog = ofGlog(line, nearMs);
  if (glog !== undefined) return glog;
  if (LOGFMT.test(line)) return ofLogfmt(line, nearMs);
  const head = timeIn(line, 0, nearMs);
  if (head !== undefined) return plain(line, head.end, head.timeMs);
  const said = levelAt(line, 0, true);
  if (said === undefined) return NO_FACTS;
  return withTimeBehind(line, said, nearMs);
}

function withTimeBehind(line: string, { level, end }: Said, nearMs: number | undefined): Facts {
  const [glue = ''] = TIME_BEHIND.exec(line.slice(end, end + 8)) ?? [];
  const head = glue === '' ? undefined : timeIn(line, end + glue.length, nearMs);
  return facts(head?.timeMs, level, line.slice(afterGlue(line, head?.end ?? end)));
}

const BRACKET_LEVEL = /^\[\s?([A-Za-z]{1,13})\s?\]/;

/** A time or a level in brackets; Serilog has both in one. */
function ofBracket(line: string, nearMs: number | undefined): Facts {
  const head = timeIn(line, 1, nearMs);
  if (head !== undefined) return plain(line, head.end, head.timeMs);
  const [all, word = ''] = BRACKET_LEVEL.exec(line) ?? [];
  const level = all === undefined ? undefined : levelOfTag(word);
  if (all !== undefined && level !== undefined) {
    return withTimeBehind(line, { level, end: all.length - 1 }, nearMs);
  }
  // [thread] LEVEL, [2026-...] behind another bracket
  const behind = /^\[[^\]]{1,60}\]\s?\[?/.exec(line)?.[0].length;
  const later = behind === undefined ? undefined : timeIn(line, behind, nearMs);
  return later === undefined ? plain(line, 0, undefined) : plain(line, later.end, later.timeMs);
}

const BLANK = 32;
const TAB = 9;

/**
 * @param line one line, or the first of a record.
 * @param nearMs when it was read: for times without a year or a day, and dates that can be read in two ways.
 */
export function readLine(line: string, nearMs?: number): Facts {
  const first = line.charCodeAt(0);
  if (first === 123) return readJson(line, nearMs);
  if (Number.isNaN(first)) return NO_FACTS;
  if (first >= 48 && first <= 57) {
    const head = timeAtHead(line, nearMs);
    return head === undefined ? NO_FACTS : plain(line, head.end, head.timeMs);
  }
  if (first === BLANK || first === TAB) {
    // Spring pads, and so do columns.
    const from = line.length - line.trimStart().length;
    return from <= 2 ? readLine(line.slice(from, from + HEAD_CHARS), nearMs) : NO_FACTS;
  }
  if (first === 60) return ofSyslog(line, nearMs);
  if (first === 91) return ofBracket(line, nearMs);
  return ofWord(line, nearMs);
}
