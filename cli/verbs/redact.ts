// `tillwatch redact < file`: the redactor of the terminals over whatever comes in, byte by byte as it comes, so
// that a file of any size costs the same memory. Text goes to stdout and how much was found to stderr. Rules
// of an operator are read by the code that the agent reads them with.

import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import {
  type Counts,
  KINDS,
  MARKS,
  openRedactStream,
  type RedactStream,
  readRules,
  stamp,
  useRules,
} from '../../redact/index.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural, type Style } from '../screen.ts';

type Streams = {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
  readonly style: Pick<Style, 'bad' | 'dim'>;
  /** Node reads nothing from a folder, and does not say so. */
  readonly isFolder?: boolean;
  /** One sentence on stderr. */
  readonly note: (sentence: string) => unknown;
};
type Wish = {
  readonly rules: string | undefined;
  readonly show: boolean;
  readonly json: boolean;
};

/** As they are called to a person, one and many. */
const NAMES: Readonly<Record<keyof Counts, readonly [string, string]>> = {
  pan: ['card number', 'card numbers'],
  track: ['track', 'tracks'],
  code: ['security code', 'security codes'],
  key: ['value of a key of card data', 'values of keys of card data'],
  emv: ['field of a chip', 'fields of chips'],
  name: ['name', 'names'],
  email: ['e-mail address', 'e-mail addresses'],
  phone: ['telephone number', 'telephone numbers'],
  secret: ['secret', 'secrets'],
  custom: ['hit of your rules', 'hits of your rules'],
};
const LINE_END = 0x0a;
/** A longer line is shown in pieces. */
const PIECE_BYTES_MAX = 64 * 1024;

const totalOf = (counts: Counts): number => KINDS.reduce((sum, kind) => sum + counts[kind], 0);

function told(counts: Counts): string {
  const found = KINDS.filter((kind) => counts[kind] > 0).map(
    (kind) => `${counts[kind]} ${NAMES[kind][counts[kind] === 1 ? 0 : 1]}`,
  );
  return found.length === 0 ? 'nothing to take out' : `taken out: ${found.join(', ')}`;
}

/** The list itself, or where it stands in a configuration. */
function rulesIn(value: unknown): { path: readonly string[]; value: unknown } {
  for (const path of [['redaction', 'rules'], ['rules']]) {
    const at = path.reduce<unknown>(
      (one, key) => (typeof one === 'object' && one !== null ? Reflect.get(one, key) : undefined),
      value,
    );
    if (at !== undefined) return { path, value: at };
  }
  return { path: [], value };
}

/** @returns every problem of the file, in sentences; none when its rules hold from now on. */
async function takeRules(file: string): Promise<readonly string[]> {
  const { formatProblem, parseYaml } = await import('../../configuration/yaml.ts');
  const { stepsOf } = await import('../../configuration/redaction.ts');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return [`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'no reason given'})`];
  }
  const parsed = parseYaml(text);
  if (!parsed.ok) return parsed.problems.map(formatProblem);
  const { path, value } = rulesIn(parsed.value);
  const read = readRules(value);
  if (read.ok) {
    useRules(read.rules);
    return [];
  }
  for (const problem of read.problems) {
    parsed.problems.add([...path, ...stepsOf(problem.path)], problem.sentence);
  }
  return parsed.problems.all.map(formatProblem);
}

/** What changed of what goes through, line by line, with its number. */
class Shown {
  readonly #stream: RedactStream;
  readonly #style: Streams['style'];
  #line = 1;
  #found = 0;

  constructor(stream: RedactStream, style: Streams['style']) {
    this.#stream = stream;
    this.#style = style;
  }

  take(bytes: Buffer): string {
    let out = '';
    for (let at = 0; at < bytes.length; ) {
      const lineEnd = bytes.subarray(at, at + PIECE_BYTES_MAX).indexOf(LINE_END);
      const end = lineEnd < 0 ? Math.min(bytes.length, at + PIECE_BYTES_MAX) : at + lineEnd + 1;
      out += this.#shown(this.#stream.push(bytes.subarray(at, end)));
      if (lineEnd >= 0) this.#line += 1;
      at = end;
    }
    return out;
  }

  end(): string {
    return this.#shown(this.#stream.end());
  }

  #shown(bytes: Buffer): string {
    const found = totalOf(this.#stream.counts());
    if (found === this.#found) return '';
    this.#found = found;
    const text = bytes.toString().replace(/\r?\n$/, '');
    const marked = text.replace(MARKS, (mark) => this.#style.bad(mark));
    return `${this.#style.dim(`${this.#line}:`)} ${marked}\n`;
  }
}

type Way = { readonly take: (bytes: Buffer) => Uint8Array | string; readonly end: Way['take'] };

function wayOf(stream: RedactStream, { show, json }: Wish, style: Streams['style']): Way {
  if (show) {
    const shown = new Shown(stream, style);
    return { take: (bytes) => shown.take(bytes), end: () => shown.end() };
  }
  const kept = (bytes: Uint8Array) => (json ? '' : bytes);
  return { take: (bytes) => kept(stream.push(bytes)), end: () => kept(stream.end()) };
}

/** Waits where the reader of our output is slower than we are. */
async function write(output: Writable, text: Uint8Array | string): Promise<void> {
  if (text.length === 0 || output.write(text)) return;
  await new Promise((resolve) => output.once('drain', resolve));
}

const NOTHING = Buffer.alloc(0);

export async function runRedact(streams: Streams, wish: Wish): Promise<Outcome> {
  const { input, output, style, note } = streams;
  if (streams.isFolder === true) {
    return ended(EXIT.usage, 'stdin is a folder, and only files are read: tillwatch redact < file');
  }
  if (wish.show && wish.json) return ended(EXIT.usage, 'say --show or --json, not both');
  if (wish.rules !== undefined) {
    const problems = await takeRules(wish.rules);
    for (const problem of problems) note(`${wish.rules}: ${problem}`);
    if (problems.length > 0) {
      return ended(EXIT.usage, `${wish.rules} has ${plural(problems.length, 'problem')}`);
    }
  }
  if (input.isTTY === true)
    note('reads what you type, until Ctrl-D; a file: tillwatch redact < file');
  const stream = openRedactStream();
  const way = wayOf(stream, wish, style);
  let bytes = 0;
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      await write(output, way.take(chunk));
    }
  } catch (error) {
    return ended(EXIT.failed, `what is to be redacted cannot be read: ${(error as Error).message}`);
  }
  await write(output, way.end(NOTHING));
  const counts = stream.counts();
  if (wish.json) {
    await write(output, `${JSON.stringify({ redactor: stamp(), bytes, counts }, undefined, 2)}\n`);
  } else note(told(counts));
  return done;
}
