// Watches what a component prints, in its own output file of this life or in another that it writes: a line that
// says it is sick, or silence. Each look reads what was added since the last, within a bound and without stopping
// the loop; a file that was cut, replaced or has holes is read on from where it now begins. Lines and not bytes
// are matched, so that half a line never counts; the time of matching is bounded too, whatever the pattern.

import { codeOf } from '../system/files.ts';
import { type FileFacts, readTail, type Stretch, type Tail } from '../system/tail.ts';
import { delay } from './hands.ts';
import { compilePattern, type Pattern } from './patterns.ts';
import type { Answer, Asker, ProbePorts, ProbeSpec } from './probes.ts';

export type LogSpec = Extract<ProbeSpec, { kind: 'log' }>;

/** At one look; of more than that, the newest. */
export const LOOK_BYTES_MAX = 512 * 1024;
/** Of a line, as much is matched; the rest is not worth what a slow pattern would cost. */
export const LINE_CHARS_MAX = 1_000;
/** Matching at one stretch: longer, and the agent's own loop would stand. */
const MATCH_MS_MAX = 5;
/** Of one look; what is then left of it is given up. */
export const STRETCHES_MAX = 20;
/** Of a line that is not finished. */
const PARTIAL_BYTES_MAX = 8 * 1024;
const TOLD_CHARS_MAX = 80;
const LINE_END = 10;

/** The file, or what stood in it before intake took it (logs/intake/shadows.ts). */
export type ReadTail = (
  path: string,
  choose: (facts: FileFacts) => Stretch | undefined,
) => Promise<Tail | undefined>;

/** Walks along one file. `from`: where it begins is the file's end, or as far back as one look reads. */
export class Tailer {
  readonly #from: 'end' | 'recent';
  #id: string | undefined;
  #position = 0;
  #partial: Buffer = Buffer.alloc(0);
  #isNew = true;
  /** Something was added at the last look. */
  #grown = false;
  /** Bytes that no look has read: too many at once. */
  skippedBytes = 0;
  /** The first look came too late to see how it began. */
  began: 'seen' | 'unseen' = 'seen';

  constructor(from: 'end' | 'recent') {
    this.#from = from;
  }

  get grown(): boolean {
    return this.#grown;
  }

  choose({ id, bytes }: FileFacts): Stretch | undefined {
    const isFirst = this.#id === undefined;
    if (isFirst && this.#from === 'end') this.#position = bytes;
    else if (isFirst) this.#begin(bytes);
    else if (id !== this.#id || bytes < this.#position) this.#restart();
    this.#id = id;
    const behind = bytes - this.#position;
    this.#grown = behind > 0;
    if (behind > LOOK_BYTES_MAX) {
      this.skippedBytes += behind - LOOK_BYTES_MAX;
      this.#partial = Buffer.alloc(0);
      this.#position = bytes - LOOK_BYTES_MAX;
    }
    return behind > 0
      ? { from: this.#position, bytesMax: Math.min(behind, LOOK_BYTES_MAX) }
      : undefined;
  }

  /** @returns the lines that are now whole; a last one without an end when nothing follows it. */
  take(read: Buffer): string[] {
    // Taken into the journal before this look, by an agent before this one.
    if (this.#isNew && read[0] === 0) this.began = 'unseen';
    if (read.length > 0) this.#isNew = false;
    this.#position += read.length;
    if (read.length === 0 && this.#partial.length === 0) return [];
    const all = Buffer.concat([this.#partial, read]);
    const end = read.length === 0 ? all.length : all.lastIndexOf(LINE_END) + 1;
    this.#partial = Buffer.from(all.subarray(end, end + PARTIAL_BYTES_MAX));
    // Holes that were punched into the file read as zeros; they are nobody's words.
    return all
      .toString('utf8', 0, end)
      .replaceAll('\0', '')
      .split('\n')
      .filter((line) => line !== '' && line !== '\r')
      .map((line) => line.slice(0, LINE_CHARS_MAX));
  }

  /** No file of that name: the next one begins anew, and what it holds was written since. */
  lost(): void {
    this.#grown = false;
    if (this.#id === undefined) this.#id = 'none';
    this.#restart();
  }

  #begin(bytes: number): void {
    this.#position = Math.max(0, bytes - LOOK_BYTES_MAX);
    if (this.#position > 0) this.began = 'unseen';
  }

  #restart(): void {
    this.#position = 0;
    this.#partial = Buffer.alloc(0);
  }
}

type Patterns = { readonly failOn: Pattern | undefined; readonly expect: Pattern | undefined };

/** What its output has said of it so far. */
class Hearing {
  readonly #spec: LogSpec;
  #sick = false;
  #heard: boolean;
  #signAt: number;

  constructor(spec: LogSpec, now: number) {
    this.#spec = spec;
    this.#signAt = now;
    // Without anything to wait for, no output is as good as any; beside failOn, `expect` only ends what that began.
    const waits = spec.failOn === undefined && spec.expect !== undefined;
    this.#heard = !waits && spec.silenceMs === undefined;
  }

  sign(now: number): void {
    this.#heard = true;
    this.#signAt = now;
  }

  /** How it began was not seen; that it runs for so long stands for its first good line. */
  presume(): void {
    this.#heard = true;
  }

  /** The agent itself stood still: silence begins anew. */
  forgive(now: number): void {
    this.#signAt = now;
  }

  line(line: string, { failOn, expect }: Patterns, now: number): void {
    if (failOn?.matches(line)) this.#sick = true;
    else if (expect?.matches(line)) {
      this.#sick = false;
      this.sign(now);
    }
  }

  judge(now: number): Answer {
    const { failOn = '', expect, silenceMs } = this.#spec;
    if (this.#sick) return { ok: false, reason: `its output says ${told(failOn)}` };
    if (silenceMs !== undefined && now - this.#signAt >= silenceMs) {
      const what = expect === undefined ? 'prints nothing' : `does not print ${told(expect)}`;
      return { ok: false, reason: `it ${what} for ${silenceMs} ms` };
    }
    // Neither well nor sick: it has not said a word yet, and its time is not over.
    if (!this.#heard) return { ok: undefined, reason: '' };
    return { ok: true, reason: 'its output is as it should be' };
  }
}

const told = (pattern: string): string => `"${pattern.slice(0, TOLD_CHARS_MAX)}"`;

/** @param own the output file of the present life, for a probe that names no other. */
export function logAsker(
  spec: LogSpec,
  ports: ProbePorts,
  own: string | undefined,
  readOwn: ReadTail = readTail,
): Asker {
  const { clock, log } = ports;
  const path = spec.path ?? own ?? '';
  const tailer = new Tailer(spec.path === undefined ? 'recent' : 'end');
  const hearing = new Hearing(spec, clock.monotonicMs());
  let patterns: Patterns | undefined;
  let reading = false;
  let skipped = false;

  async function compile(): Promise<Patterns> {
    const { failOn, expect } = spec;
    return {
      failOn: failOn === undefined ? undefined : await compilePattern(failOn),
      expect: expect === undefined ? undefined : await compilePattern(expect),
    };
  }

  /** In order, because what was said last counts. @returns how many lines were heard. */
  function hearSome(lines: readonly string[], from: number, patterns: Patterns): number {
    const startMs = clock.monotonicMs();
    for (let at = from; at < lines.length; at += 1) {
      const now = clock.monotonicMs();
      if (now - startMs > MATCH_MS_MAX) return at;
      hearing.line(lines[at] ?? '', patterns, now);
    }
    return lines.length;
  }

  async function hear(lines: readonly string[], patterns: Patterns): Promise<void> {
    let at = hearSome(lines, 0, patterns);
    for (let stretch = 1; at < lines.length && stretch < STRETCHES_MAX; stretch += 1) {
      await delay(ports, 1);
      at = hearSome(lines, at, patterns);
    }
    for (const missed of lines.slice(at)) tailer.skippedBytes += missed.length + 1;
  }

  async function look(): Promise<Answer> {
    if (path === '') return { ok: undefined, reason: 'it has no output file of its own' };
    patterns ??= await compile();
    const read = spec.path === undefined ? readOwn : readTail;
    const tail = await read(path, (facts) => tailer.choose(facts));
    const now = clock.monotonicMs();
    if (tail === undefined) {
      // Our own file: it was not given one (a full disk), and cannot be blamed for what it cannot write.
      if (spec.path === undefined) return { ok: undefined, reason: 'its output file is not there' };
      tailer.lost();
      return hearing.judge(now);
    }
    if (tailer.began === 'unseen') hearing.presume();
    if (tailer.grown && spec.expect === undefined) hearing.sign(now);
    await hear(tailer.take(tail.read), patterns);
    if (tailer.skippedBytes > 0 && !skipped) {
      skipped = true;
      const { skippedBytes } = tailer;
      log.warn('probe: output comes faster than it can be matched', { path, skippedBytes });
    }
    return hearing.judge(clock.monotonicMs());
  }

  return {
    // A disk that is slow, or hangs, is not the component's fault; and reads must not pile up on it.
    lateIsOurs: true,
    forgive: () => hearing.forgive(clock.monotonicMs()),
    ask: (answer) => {
      if (reading) {
        answer({ ok: undefined, reason: 'the disk does not answer' });
        return () => undefined;
      }
      reading = true;
      void look()
        .catch((error: unknown) => ({ ok: undefined, reason: codeOf(error) }))
        .then((found) => {
          reading = false;
          answer(found);
        });
      return () => undefined;
    },
  };
}
