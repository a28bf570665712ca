// What has arrived, record by record: filtered, as text or as one JSON object a line, and searched over everything
// that is kept. Files are read in pieces between which the loop is free; a record that does not end is cut, so that
// an answer without a line end takes no memory.

import { Readable } from 'node:stream';
import type { LogLevel } from '../../protocol/catalogue.ts';
import {
  createSplitter,
  isAtLeast,
  type LogRecord,
  parseRecord,
} from '../../protocol/log-lines.ts';
import type { LogFiles } from './files.ts';
import type { Finds } from './patterns.ts';
import type { LogView } from './view.ts';

/** Bytes of one record; what goes on beyond them is taken for another one. */
export const RECORD_BYTES_MAX = 1024 * 1024;
/** Work for one answer, without the time in which its reader is waited for. */
const WORK_MS_MAX = 30_000;
/** One search over everything kept looks through at most so much, for so long. */
export const SEARCH_BYTES_MAX = 512 * 1024 * 1024;
export const SEARCH_MS_MAX = 5_000;
/** A terminal's clock may be ahead by so much before a record of it is older than its arrival. */
const CLOCK_SLACK_MS = 3_600_000;
/** Text of one search's matches. */
const MATCH_CHARS_MAX = 4 * 1024 * 1024;

export type Filter = {
  readonly level?: LogLevel | undefined;
  readonly component?: string | undefined;
  readonly text?: string | undefined;
  readonly finds?: Finds | undefined;
};

/** A record with where it stands. */
export type Found = Omit<LogRecord, 'level'> & {
  readonly level: LogLevel | null;
  readonly offset: number;
  readonly terminal: string;
  readonly request: string;
};
type Piece = { readonly offset: number; readonly lines: string };

/** The records of an answer, some at a time. */
async function* pieces(bytes: Readable): AsyncGenerator<readonly Piece[]> {
  let splitter = createSplitter();
  let at = 0;
  let done = 0;
  for await (const part of bytes as AsyncIterable<Buffer>) {
    const found = splitter.push(part);
    at += part.length;
    const last = found.at(-1);
    if (last !== undefined) done = last.offset + Buffer.byteLength(last.lines) + 1;
    if (at - done > RECORD_BYTES_MAX) {
      found.push(...splitter.end());
      splitter = createSplitter(at);
      done = at;
    }
    yield found;
  }
  yield splitter.end();
}

export function fits(record: LogRecord, { level, component, text, finds }: Filter): boolean {
  if (level !== undefined && !isAtLeast(record.level, level)) return false;
  if (component !== undefined && record.component !== component) return false;
  if (text !== undefined && !record.text.toLowerCase().includes(text)) return false;
  return finds === undefined || finds(record.text);
}

/** What is no record (the rest of one that was cut, say) has no time of its own. */
const readPiece = (lines: string, timeMs: number): LogRecord =>
  parseRecord(lines) ?? { timeMs, guessed: true, level: undefined, component: '', text: lines };

const TOO_SLOW = 'this expression takes too long: leave it out, or read the whole text';

type Of = Pick<LogView, 'id' | 'terminal' | 'sinceMs' | 'bytes'>;
type Fitting = Piece & { readonly record: LogRecord };

async function* fitting(
  files: Pick<LogFiles, 'read'>,
  view: Of,
  filter: Filter,
  nowMs: () => number,
): AsyncGenerator<{ readonly found: readonly Fitting[]; readonly bytes: number }> {
  if (view.bytes === 0) return;
  let workedMs = 0;
  // Once, not for each record.
  const wanted = { ...filter, text: filter.text?.toLowerCase() };
  let { sinceMs: timeMs } = view;
  for await (const some of pieces(files.read(view.id, 0, view.bytes))) {
    const found: Fitting[] = [];
    let bytes = 0;
    const startMs = nowMs();
    for (const piece of some) {
      const record = readPiece(piece.lines, timeMs);
      timeMs = record.timeMs;
      bytes += piece.lines.length;
      if (fits(record, wanted)) found.push({ ...piece, record });
    }
    workedMs += Math.max(0, nowMs() - startMs);
    if (workedMs > WORK_MS_MAX) throw new Error(TOO_SLOW);
    yield { found, bytes };
  }
}

const shownOf = ({ offset, record }: Fitting, { id: request, terminal }: Of): Found => {
  const { timeMs, guessed, level = null, component, text } = record;
  return { timeMs, guessed, level, component, text, offset, terminal, request };
};

/** As it came, or one object a line. */
export function readContent(
  files: Pick<LogFiles, 'read'>,
  view: Of,
  filter: Filter,
  format: 'text' | 'jsonl',
  nowMs: () => number,
): Readable {
  async function* parts() {
    for await (const { found } of fitting(files, view, filter, nowMs)) {
      const lines = found.map((one) =>
        format === 'text' ? `${one.lines}\n` : `${JSON.stringify(shownOf(one, view))}\n`,
      );
      if (lines.length > 0) yield lines.join('');
    }
  }
  return Readable.from(parts(), { objectMode: false });
}

export type SearchQuery = {
  readonly text: string;
  readonly sinceMs?: number | undefined;
  readonly limit: number;
};
export type SearchAnswer = {
  readonly matches: readonly Found[];
  readonly searchedBytes: number;
  readonly complete: boolean;
};

/** @param views in which order they are looked through. */
export async function searchAll(
  files: Pick<LogFiles, 'read'>,
  views: Iterable<LogView>,
  { text, sinceMs = 0, limit }: SearchQuery,
  nowMs: () => number,
): Promise<SearchAnswer> {
  const untilMs = nowMs() + SEARCH_MS_MAX;
  const matches: Found[] = [];
  let searchedBytes = 0;
  let chars = 0;
  for (const view of views) {
    const isOlder = view.changedMs + CLOCK_SLACK_MS < sinceMs;
    if (view.what === 'diagnosis' || view.bytes === 0 || isOlder) continue;
    for await (const { found, bytes } of fitting(files, view, { text }, nowMs)) {
      searchedBytes += bytes;
      for (const one of found) {
        if (one.record.timeMs < sinceMs) continue;
        chars += one.lines.length;
        if (matches.length >= limit || chars > MATCH_CHARS_MAX) {
          return { matches, searchedBytes, complete: false };
        }
        matches.push(shownOf(one, view));
      }
      if (searchedBytes > SEARCH_BYTES_MAX || nowMs() > untilMs) {
        return { matches, searchedBytes, complete: false };
      }
    }
  }
  return { matches, searchedBytes, complete: true };
}
