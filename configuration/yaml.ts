// Reading YAML so that everything that is wrong with it can be told at once, each with its path, its line and a sentence.
// Used for the agent's configuration (config.ts) and for settings that are applied to a running agent
// (settings.ts), so that both are refused in the same words.

import * as v from 'valibot';
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
} from 'yaml';

/** `path` is empty when the file as a whole is wrong. */
export type Problem = { readonly path: string; readonly sentence: string };
export const CONFIG_BYTES_MAX = 256 * 1024;
/** More would not help anybody; a file of the wrong kind has thousands. */
const PROBLEMS_MAX = 100;
const ALIASES_MAX = 100;

export type Path = readonly (string | number)[];

export const formatProblem = ({ path, sentence }: Problem): string =>
  path === '' ? sentence : `${path}: ${sentence}`;

/** As a person would write it: components[0].hang.blockedMs */
const pathText = (path: Path): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');

/** Where paths become problems, with the line in the file where there is one. */
export class Problems {
  readonly all: Problem[] = [];
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #of: string;

  /** @param of what the line is in, where two files are read together. */
  constructor(document: Document, lines: LineCounter, of: string) {
    this.#document = document;
    this.#lines = lines;
    this.#of = of;
  }

  add(path: Path, sentence: string): void {
    if (this.all.length >= PROBLEMS_MAX) return;
    const line = this.#lineOf(path);
    const where = pathText(path);
    const told = line === undefined ? sentence : `${sentence} (line ${line}${this.#of})`;
    // One value can miss several bounds that share a sentence.
    if (this.all.some((known) => known.path === where && known.sentence === told)) return;
    this.all.push({ path: where, sentence: told });
  }

  /** Of the value, or of what it should stand in when it is missing. */
  #lineOf(path: Path): number | undefined {
    for (let length = path.length; length >= 0; length -= 1) {
      const at = path.slice(0, length);
      const node = length === 0 ? this.#document.contents : this.#document.getIn(at, true);
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return undefined;
  }
}

type Parsed =
  | { readonly ok: true; readonly value: unknown; readonly problems: Problems }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export const problem = (sentence: string): { ok: false; problems: Problem[] } => ({
  ok: false,
  problems: [{ path: '', sentence }],
});

/** @returns keys that a map has already, each with where it stands. */
function repeatedKeys(contents: unknown): { readonly pos: number; readonly message: string }[] {
  const found: { pos: number; message: string }[] = [];
  const due: unknown[] = [contents];
  for (let node = due.pop(); node !== undefined; node = due.pop()) {
    if (isSeq(node)) for (const item of node.items) if (isNode(item)) due.push(item);
    if (!isMap(node)) continue;
    const seen = new Set<unknown>();
    for (const { key, value } of node.items.filter(isPair)) {
      for (const part of [key, value]) if (isNode(part)) due.push(part);
      if (!isScalar(key)) continue;
      const name = String(key.value);
      if (seen.has(name)) {
        found.push({
          pos: key.range?.[0] ?? 0,
          message: `Map keys must be unique: "${name.slice(0, 64)}" stands here twice`,
        });
      }
      seen.add(name);
    }
  }
  return found.toSorted((one, other) => one.pos - other.pos);
}

export function parseYaml(text: string, of = ''): Parsed {
  const lines = new LineCounter();
  const bytes = Buffer.byteLength(text);
  if (bytes > CONFIG_BYTES_MAX) {
    return problem(`the file has ${bytes} bytes, at most ${CONFIG_BYTES_MAX} are read`);
  }
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    strict: true,
    // The library compares each key with each (seconds for a map of many): see repeatedKeys.
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const [document] = documents;
  if (document === undefined) return problem('the file is empty');
  if (documents.length > 1) return problem('the file holds more than one YAML document');
  // A tag that is not known would silently change what a value means.
  const told = [...document.errors, ...document.warnings];
  const faults =
    told.length > 0
      ? told.map(({ pos, message }) => ({ pos: pos[0], message }))
      : repeatedKeys(document.contents);
  if (faults.length > 0) {
    const problems = faults.slice(0, PROBLEMS_MAX).map((fault) => ({
      path: `line ${lines.linePos(fault.pos).line}${of}`,
      sentence: `not valid YAML: ${fault.message}`,
    }));
    return { ok: false, problems };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return { ok: true, value, problems: new Problems(document, lines, of) };
  } catch (error) {
    return problem(`not valid YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.received === 'undefined' && issue.kind === 'schema') return 'is missing';
  if (!issue.message.startsWith('Invalid')) return issue.message;
  if (issue.expected === 'Object') return 'must be keys with their values';
  return `must be ${issue.expected ?? 'something else'}`;
}

export const keysOf = (issue: v.BaseIssue<unknown>): Path =>
  (issue.path ?? []).map((item) => item.key as string | number);

/** Every problem of the shape goes to `problems`. */
export function readShape<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  problems: Problems,
): v.SafeParseResult<S> {
  const shaped = v.safeParse(schema, value);
  for (const issue of shaped.issues ?? []) problems.add(keysOf(issue), sentenceOf(issue));
  return shaped;
}

/** @returns what stands at a path of something that may have any shape. */
export const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((at, key) => {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    return (at as Record<string, unknown>)[key];
  }, value);
