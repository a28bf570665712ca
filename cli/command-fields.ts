// How the arguments of a command are written on the command line: one form for each field of the catalogue, whatever
// kind it belongs to. Names stand as words behind the terminal, in the order of the catalogue; the rest are options.
// Which fields a kind has, which may be left out and within which bounds is read from its schema, not said again.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type CommandKind, catalogue, LOG_LEVELS } from '../protocol/catalogue.ts';
import { AGENT_LOG, readContent } from '../protocol/commands.ts';
import { parseId } from '../protocol/ids.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import type { Options } from './command.ts';
import { didYouMean } from './nearest.ts';
import { parseDuration, parseWhen } from './when.ts';

const MINUTE_MS = 60_000;

type Bounds = { readonly max: number };
type Read = (text: string, nowMs: number, bounds: Bounds) => Result<object>;
export type Field = {
  /** A word behind the terminal; else an option with these flags. */
  readonly flags?: string;
  readonly about: string;
  /** What goes into the arguments. */
  readonly read: Read;
};

const idField =
  (name: string): Read =>
  (text) => {
    const parsed = parseId(name, text);
    return parsed.ok ? ok({ [name]: text }) : parsed;
  };

function readLevel(level: string): Result<object> {
  if ((LOG_LEVELS as readonly string[]).includes(level)) return ok({ level });
  const sentence = `there is no level "${level.slice(0, 40)}", only ${LOG_LEVELS.join(', ')}`;
  return fail(sentence + didYouMean(level, LOG_LEVELS));
}

function readYaml(path: string): Result<object> {
  try {
    const yaml = readFileSync(path, 'utf8');
    return ok({ yaml, sha256: createHash('sha256').update(yaml).digest('hex') });
  } catch (error) {
    return fail(`--file: cannot read ${path}: ${(error as Error).message}`);
  }
}

const inside = (name: string, value: Result<number>): Result<object> =>
  value.ok ? ok({ [name]: value.value }) : value;

const FIELDS: Readonly<Record<string, Field>> = {
  component: { about: 'the component, for example sync', read: idField('component') },
  device: { about: 'the device, for example printer', read: idField('device') },
  level: { about: LOG_LEVELS.join(', '), read: readLevel },
  forMs: {
    flags: '--for <time>',
    about: 'how long, as in 30m; it ends by itself (needed)',
    read: (text, _now, { max }) => inside('forMs', parseDuration('--for', text, MINUTE_MS, max)),
  },
  beforeMs: {
    flags: '--before <when>',
    about: 'older than this: 7d, 14:30 or a date (needed)',
    read: (text, nowMs) => inside('beforeMs', parseWhen('--before', text, nowMs)),
  },
  yaml: { flags: '--file <file>', about: 'the settings, YAML (needed)', read: readYaml },
};

type Entry = {
  readonly type: string;
  readonly pipe?: readonly { readonly type: string; readonly requirement?: unknown }[];
};
export type Place = Field & {
  readonly name: string;
  readonly optional: boolean;
  readonly bounds: Bounds;
};

function boundsOf({ pipe = [] }: Entry): Bounds {
  const max = pipe.find(({ type }) => type === 'max_value')?.requirement;
  return { max: typeof max === 'number' ? max : Number.MAX_SAFE_INTEGER };
}

const entriesOf = (kind: CommandKind): readonly (readonly [string, Entry])[] =>
  Object.entries(catalogue[kind].arguments.entries as Readonly<Record<string, Entry>>);

/** The fields of a kind that a person gives, in order; `force` is a question of its own. */
export const placesOf = (kind: CommandKind): readonly Place[] =>
  entriesOf(kind).flatMap(([name, entry]) => {
    const field = FIELDS[name];
    const optional = entry.type === 'optional';
    return field === undefined ? [] : [{ ...field, name, optional, bounds: boundsOf(entry) }];
  });

export const canForce = (kind: CommandKind): boolean =>
  entriesOf(kind).some(([name]) => name === 'force');

/** `--for <time>` is kept by Commander as `for`. */
const optionName = (flags: string): string => /--([a-z]+)/.exec(flags)?.[1] ?? '';

/**
 * @param words what stands behind the terminal
 * @returns the arguments of the command, or a sentence for who typed them
 */
export function readArguments(
  kind: CommandKind,
  words: readonly string[],
  options: Options,
  nowMs: number,
): Result<object> {
  const rest = [...words];
  let args: object = canForce(kind) && options['force'] === true ? { force: true } : {};
  for (const { name, flags, optional, bounds, read } of placesOf(kind)) {
    const given = flags === undefined ? rest.shift() : options[optionName(flags)];
    if (typeof given !== 'string') {
      if (optional) continue;
      return fail(`say ${flags ?? `which ${name}`}: see --help`);
    }
    // The agent's own log is nobody's component.
    const isAgent = name === 'component' && given === AGENT_LOG;
    const value = isAgent ? ok({ component: given }) : read(given, nowMs, bounds);
    if (!value.ok) return value;
    args = { ...args, ...value.value };
  }
  const content = readContent(kind, args);
  return content.ok ? ok(args) : fail(content.reason.replace(/^arguments\.\w+: /, ''));
}
