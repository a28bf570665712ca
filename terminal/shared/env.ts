// A component's configuration is its environment: read once, strictly, all problems at once, each with
// the name of its variable and a sentence (exit 64, EX_USAGE). An empty variable counts as unset.

import { resolve } from 'node:path';
import * as v from 'valibot';
import { check } from './check.ts';
import type { Result } from './result.ts';

export const EXIT_USAGE = 64;
/** Something this program needs is taken or missing (EX_UNAVAILABLE of sysexits.h). */
export const EXIT_UNAVAILABLE = 69;
export const EXIT_BUG = 70;

const ID = /^[a-z0-9][a-z0-9-]{0,31}$/;

export const idVariable = (fallback: string) =>
  v.optional(
    v.pipe(v.string(), v.regex(ID, 'use 1 to 32 of a-z, 0-9 and "-", not beginning with "-"')),
    fallback,
  );

/** A number with bounds; `unit` ends the sentence about them. */
export const numberVariable = (fallback: number, min: number, max: number, unit: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[0-9]{1,9}$/, `use a whole number of ${unit} from ${min} to ${max}`),
      v.transform(Number),
      v.minValue(min, `use at least ${min} ${unit}`),
      v.maxValue(max, `use at most ${max} ${unit}`),
    ),
    String(fallback),
  );

/** 0: any free port, told in the port file and on the channel. */
export const portVariable = (fallback: number) =>
  v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[0-9]{1,5}$/, 'use a port number from 0 to 65535'),
      v.transform(Number),
      v.maxValue(65_535, 'use a port number from 0 to 65535'),
    ),
    String(fallback),
  );

export const directoryVariable = () =>
  v.pipe(v.string('name the folder that holds this component’s data'), v.transform(resolvePath));
export const fileVariable = () => v.optional(v.pipe(v.string(), v.transform(resolvePath)));

const isServiceUrl = (text: string): boolean =>
  /^(http|file):$/.test(URL.parse(text)?.protocol ?? '');

/** An http URL, or the file URL of a port file that a component writes when it is ready. */
export const urlVariable = (fallback?: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.check(isServiceUrl, 'use an http:// URL, or file:// with the path of a port file'),
    ),
    fallback ?? '',
  );

export const switchVariable = () =>
  v.pipe(
    v.optional(v.picklist(['0', '1'], 'use 1 to switch it on, 0 or nothing to leave it off'), '0'),
    v.transform((text) => text === '1'),
  );

export const textVariable = (fallback: string) =>
  v.optional(v.pipe(v.string(), v.maxLength(253, 'use at most 253 characters')), fallback);

function resolvePath(path: string): string {
  return resolve(path);
}

/** Variables that every component has. */
export const common = {
  POS_DATA_DIR: directoryVariable(),
  POS_FAULTS: switchVariable(),
  POS_LOG_LEVEL: v.optional(
    v.picklist(['error', 'warn', 'info', 'debug'], 'use error, warn, info or debug'),
    'info',
  ),
  POS_VERSION: textVariable('dev'),
  TILLWATCH_VERSION: textVariable(''),
};

type Entries = v.ObjectEntries;

export function readEnvironment<E extends Entries>(
  entries: E,
  env: NodeJS.ProcessEnv,
): Result<v.InferOutput<v.ObjectSchema<E, undefined>>> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  return check(v.object(entries), given);
}

/** Reads the environment, or ends the program with one line per problem. */
export function settingsOrExit<E extends Entries>(
  entries: E,
): v.InferOutput<v.ObjectSchema<E, undefined>> {
  const settings = readEnvironment(entries, process.env);
  if (settings.ok) return settings.value;
  process.stderr.write(`${settings.reason.replaceAll('; ', '\n')}\n`);
  process.exit(EXIT_USAGE);
}

/** The agent's word for the version goes before the component's own. */
export const versionOf = (settings: { TILLWATCH_VERSION: string; POS_VERSION: string }): string =>
  settings.TILLWATCH_VERSION || settings.POS_VERSION;
