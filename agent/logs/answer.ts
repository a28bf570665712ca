// The answer to a request, made from its plan: one line per line of the journal, with time and component in
// front, through the redactor, as a stream of bytes that is the same every time. It is never kept: what was
// sent and lost is read again. The digest runs along, so also an agent that begins in the middle reads
// from the start and leaves out what the broker has.

import { createHash } from 'node:crypto';
import { ok, type Result } from '../../protocol/result.ts';
import { KINDS, openRedactStream, type RedactStream } from '../../redact/index.ts';
import { holeText } from './holes.ts';
import { type JournalLine, type Merge, openMerge } from './journal.ts';
import { openPacked } from './packed.ts';
import type { Plan } from './plan.ts';

const BLOCK_CHARS = 64 * 1024;
const NEWLINE = 10;

export type Piece = {
  readonly body: Buffer;
  /** Nothing comes after it. */
  readonly last: boolean;
};

export type Totals = {
  readonly bytes: number;
  readonly lines: number;
  readonly redactions: number;
  readonly truncated: boolean;
};

/** What a pull needs of an answer, wherever it comes from. */
export type Answering = Pick<
  Answer,
  'offset' | 'redactor' | 'peek' | 'take' | 'with' | 'sha256' | 'totals' | 'counts' | 'close'
>;

/** `2026-11-23T10:00:00.123Z [sale] text`; a guessed time has a tilde behind it. */
function lineText(line: JournalLine, offsetMs: number): string {
  const { timeMs, guessed, component, hole } = line;
  const text = hole === undefined ? line.text : holeText(hole, offsetMs);
  const time = new Date(Math.round(timeMs + offsetMs)).toISOString();
  return `${time}${guessed ? '~' : ''} [${component}] ${text}\n`;
}

export class Answer {
  readonly #plan: Plan;
  readonly #merge: Merge;
  readonly #redact: RedactStream = openRedactStream();
  readonly #hash = createHash('sha256');
  /** Whole lines, redacted, not taken yet. */
  #ready: Buffer = Buffer.alloc(0);
  #ended = false;
  #bytes = 0;
  #lines = 0;
  #truncated: boolean;

  constructor(plan: Plan, merge: Merge) {
    this.#plan = plan;
    this.#merge = merge;
    this.#truncated = plan.truncated;
  }

  /** Of the next piece. */
  offset(): number {
    return this.#bytes;
  }

  redactor(): string {
    return this.#redact.redactor;
  }

  /** Whole lines of at most `bytesMax`, not taken until `take`. @throws what reading files throws. */
  peek(bytesMax: number): Piece {
    this.#fill(bytesMax);
    const room = Math.min(bytesMax, this.#plan.bytesMax - this.#bytes);
    const end =
      room <= 0
        ? 0
        : this.#ready.length <= room
          ? this.#ready.length
          : this.#ready.lastIndexOf(NEWLINE, room - 1) + 1;
    // Not one line more fits into what was asked for: the answer ends here.
    if (end === 0 && this.#ready.length > 0 && room < bytesMax) this.#cutOff();
    const body = this.#ready.subarray(0, end);
    return { body, last: this.#ended && end === this.#ready.length };
  }

  take({ body }: Piece): void {
    this.#lines = this.with(body).lines;
    this.#hash.update(body);
    this.#bytes += body.length;
    this.#ready = this.#ready.subarray(body.length);
  }

  /** Digest and number of lines of everything taken and `body`. */
  with(body: Buffer): { sha256: Buffer; lines: number } {
    let lines = this.#lines;
    for (let at = body.indexOf(NEWLINE); at >= 0; at = body.indexOf(NEWLINE, at + 1)) lines += 1;
    return { sha256: this.#hash.copy().update(body).digest(), lines };
  }

  /** Of everything taken. */
  sha256(): Buffer {
    return this.#hash.copy().digest();
  }

  totals(): Totals {
    const counts = this.#redact.counts();
    const redactions = KINDS.reduce((sum, kind) => sum + counts[kind], 0);
    return { bytes: this.#bytes, lines: this.#lines, redactions, truncated: this.#truncated };
  }

  counts(): ReturnType<RedactStream['counts']> {
    return this.#redact.counts();
  }

  close(): void {
    this.#merge.close();
  }

  #cutOff(): void {
    this.#truncated = true;
    this.#ended = true;
    this.#ready = Buffer.alloc(0);
  }

  #fill(bytesMax: number): void {
    const parts = [this.#ready];
    let length = this.#ready.length;
    // One byte more than asked for: only then it is known whether anything follows.
    while (length <= bytesMax && !this.#ended) {
      let block = '';
      while (block.length < BLOCK_CHARS) {
        const line = this.#merge.next();
        if (line === undefined) {
          this.#ended = true;
          break;
        }
        block += lineText(line, this.#plan.offsetMs);
      }
      const clean = this.#redact.push(Buffer.from(block, 'latin1'));
      parts.push(clean);
      length += clean.length;
      if (this.#ended) parts.push(this.#redact.end());
    }
    if (parts.length > 1) this.#ready = Buffer.concat(parts);
  }
}

export function openAnswer(plan: Plan): Result<Answering> {
  if (plan.file !== undefined) return openPacked(plan.file);
  const merge = openMerge(plan.segments);
  return merge.ok ? ok(new Answer(plan, merge.value)) : merge;
}
