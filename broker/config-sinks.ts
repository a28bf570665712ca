// The part of the broker's configuration that says where samples and spans go. One line is enough
// (`sinks: { remoteWrite: http://127.0.0.1:9090 }`), and everything a database needs more can be said.
// Secrets stand in files and are named here: a configuration is printed, copied and committed.

import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import { SERIES_PER_TERMINAL } from './sinks/budget.ts';

type Common = {
  /** In metrics, in the log, and of its cursor: another name begins from the oldest row of the ledger. */
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
};
export type RemoteWriteConfig = Common & {
  readonly kind: 'remote_write';
  readonly bearerTokenFile?: string;
  readonly batchSamples: number;
};
export type TracesConfig = Common & { readonly kind: 'traces' };
export type SinkConfig = RemoteWriteConfig | TracesConfig;
export type SinksConfig = {
  readonly remoteWrite: readonly RemoteWriteConfig[];
  readonly traces?: TracesConfig;
  readonly seriesPerTerminal: number;
};

export const SINKS_DEFAULT: SinksConfig = {
  remoteWrite: [],
  seriesPerTerminal: SERIES_PER_TERMINAL,
};

/** Each follows the ledger by itself and holds what it has not taken. */
const SINKS_MAX = 8;
const HEADERS_MAX = 32;
const TIMEOUT_MS = { min: 100, max: 300_000, otherwise: 30_000 };
/** 2 to 5 thousand is what databases are tuned for (research/mqtt.md 4.2). */
const BATCH_SAMPLES = { min: 1, max: 50_000, otherwise: 4_000 };
const SERIES = { min: 1, max: 100_000, otherwise: SERIES_PER_TERMINAL };

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;
/** Followers of the ledger that are no sinks. */
const TAKEN_NAMES = ['registry', 'history'];
/** [RFC 9110 5.6.2] */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const OWN_HEADERS =
  /^(authorization|content-(encoding|type|length)|x-prometheus-remote-write-version|host|user-agent|transfer-encoding|connection)$/i;

type Path = readonly (string | number)[];
type Complain = (path: Path, sentence: string) => void;
type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readUrl(
  value: unknown,
  path: Path,
  defaultPath: string,
  complain: Complain,
): URL | undefined {
  const rule = 'must be an address such as http://127.0.0.1:9090';
  if (value === null) return undefined;
  if (typeof value !== 'string' || !URL.canParse(value)) {
    complain(path, value === undefined ? 'is missing' : rule);
    return undefined;
  }
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') complain(path, rule);
  if (url.username !== '' || url.password !== '') {
    complain(
      path,
      'must not hold a name or password: put a token into a file and name it bearerTokenFile',
    );
  }
  if (url.hash !== '') complain(path, 'must not have a fragment (#)');
  if (url.pathname === '/') url.pathname = defaultPath;
  return url;
}

function readNumber(
  value: unknown,
  path: Path,
  range: { readonly min: number; readonly max: number; readonly otherwise: number },
  complain: Complain,
): number {
  if (value === undefined) return range.otherwise;
  const inside =
    Number.isInteger(value) && Number(value) >= range.min && Number(value) <= range.max;
  if (!inside) complain(path, `must be a whole number from ${range.min} to ${range.max}`);
  return Number(value);
}

function readHeaders(value: unknown, path: Path, complain: Complain): Record<string, string> {
  if (value === undefined) return {};
  if (!isFields(value) || Object.keys(value).length > HEADERS_MAX) {
    complain(path, `must be at most ${HEADERS_MAX} headers, such as { X-Scope-OrgID: shops }`);
    return {};
  }
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    const at = [...path, name];
    if (!TOKEN.test(name)) complain(at, 'is not the name of a header');
    else if (/^authorization$/i.test(name)) {
      complain(at, 'is a secret: put the token into a file and name it bearerTokenFile');
    } else if (OWN_HEADERS.test(name)) complain(at, 'is set by the broker');
    else if (typeof text !== 'string' || !/^[\x20-\x7e]{0,1024}$/.test(text)) {
      complain(at, 'must be text of one line');
    } else headers[name] = text;
  }
  return headers;
}

function readName(value: unknown, path: Path, otherwise: string, complain: Complain): string {
  if (value === undefined) return otherwise;
  if (typeof value !== 'string' || !NAME.test(value)) {
    complain(path, 'must be up to 64 letters, digits, dots, colons, hyphens and underscores');
  } else if (TAKEN_NAMES.includes(value))
    complain(path, `"${value}" is a name of the broker's own`);
  return String(value);
}

type Kind = { readonly known: readonly string[]; readonly path: string };
const REMOTE_WRITE: Kind = {
  known: ['url', 'name', 'headers', 'bearerTokenFile', 'timeoutMs', 'batchSamples'],
  path: '/api/v1/write',
};
const TRACES: Kind = { known: ['url', 'name', 'headers', 'timeoutMs'], path: '/v1/traces' };

function readFields(value: unknown, path: Path, { known }: Kind, complain: Complain): Fields {
  if (typeof value === 'string') return { url: value };
  if (!isFields(value)) {
    complain(path, 'must be an address, or { url, name, ... }');
    // Nothing more is to be said of its address.
    return { url: null };
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) complain([...path, key], 'is not a setting that the broker knows');
  }
  return value;
}

/** What both kinds of sinks have. @param named how one is called that has no name. */
function readCommon(
  fields: Fields,
  path: Path,
  kind: Kind,
  complain: Complain,
  named?: string,
): Common {
  const at = isFields(fields) ? [...path, 'url'] : path;
  const url = readUrl(fields['url'], at, kind.path, complain);
  return {
    name: readName(fields['name'], [...path, 'name'], named ?? url?.host ?? '', complain),
    url: url?.href ?? '',
    headers: readHeaders(fields['headers'], [...path, 'headers'], complain),
    timeoutMs: readNumber(fields['timeoutMs'], [...path, 'timeoutMs'], TIMEOUT_MS, complain),
  };
}

function readRemoteWrite(value: unknown, path: Path, complain: Complain): RemoteWriteConfig {
  const fields = readFields(value, path, REMOTE_WRITE, complain);
  const { bearerTokenFile: file, batchSamples } = fields;
  if (file !== undefined && (typeof file !== 'string' || !isAbsolute(file))) {
    complain([...path, 'bearerTokenFile'], 'must be the whole path of a file, from /');
  }
  return {
    kind: 'remote_write',
    ...readCommon(fields, path, REMOTE_WRITE, complain),
    ...(file !== undefined && { bearerTokenFile: String(file) }),
    batchSamples: readNumber(batchSamples, [...path, 'batchSamples'], BATCH_SAMPLES, complain),
  };
}

function readTraces(value: unknown, complain: Complain): TracesConfig {
  const path = ['traces'];
  const fields = readFields(value, path, TRACES, complain);
  return { kind: 'traces', ...readCommon(fields, path, TRACES, complain, 'traces') };
}

/** @returns the settings with every default in its place; what is wrong is complained of. */
export function readSinks(value: unknown, complain: Complain): SinksConfig {
  if (value === undefined) return SINKS_DEFAULT;
  if (!isFields(value)) {
    complain([], 'must be a group of settings, such as { remoteWrite: http://127.0.0.1:9090 }');
    return SINKS_DEFAULT;
  }
  for (const key of Object.keys(value)) {
    if (['remoteWrite', 'traces', 'seriesPerTerminal'].includes(key)) continue;
    complain([key], 'is not a setting that the broker knows');
  }
  const { remoteWrite: given, traces, seriesPerTerminal } = value;
  const list: readonly unknown[] = Array.isArray(given)
    ? given
    : given === undefined
      ? []
      : [given];
  if (list.length > SINKS_MAX) complain(['remoteWrite'], `at most ${SINKS_MAX} fit one broker`);
  const remoteWrite = list.map((one, i) =>
    readRemoteWrite(one, Array.isArray(given) ? ['remoteWrite', i] : ['remoteWrite'], complain),
  );
  const config: SinksConfig = {
    remoteWrite,
    ...(traces !== undefined && { traces: readTraces(traces, complain) }),
    seriesPerTerminal: readNumber(seriesPerTerminal, ['seriesPerTerminal'], SERIES, complain),
  };
  const names = sinksOf(config).map(({ name }) => name);
  const twice = names.find((name, i) => name !== '' && names.indexOf(name) !== i);
  if (twice !== undefined) complain([], `two sinks are called "${twice}": give one of them a name`);
  return config;
}

export const sinksOf = ({ remoteWrite, traces }: SinksConfig): readonly SinkConfig[] => [
  ...remoteWrite,
  ...(traces === undefined ? [] : [traces]),
];

const part = (key: string | number, value: unknown): v.IssuePathItem => ({
  type: 'unknown',
  origin: 'value',
  input: value,
  key,
  value,
});

export const sinksSchema = v.optional(
  v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }): SinksConfig => {
      let wrong = false;
      const config = readSinks(dataset.value, (path, sentence) => {
        wrong = true;
        const [first, ...more] = path.map((key) => part(key, dataset.value));
        addIssue({ message: sentence, ...(first && { path: [first, ...more] }) });
      });
      return wrong ? NEVER : config;
    }),
  ),
  {},
);
