// The part of the broker's configuration that says where samples, spans and logs go. One line is enough
// (`sinks: { remoteWrite: http://127.0.0.1:9090 }`), and everything a database needs more can be said.
// Secrets stand in files and are named here: a configuration is printed, copied and committed.

import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import {
  type Complain,
  type Fields,
  isFields,
  type Path,
  readHeaders,
  readName,
  readNumber,
  readUrl,
} from './config-sinks-parts.ts';
import { SERIES_PER_TERMINAL } from './sinks/budget.ts';
import { SOURCES, type Source } from './sinks/loki-entries.ts';

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
export type LokiConfig = Common & {
  readonly kind: 'loki';
  readonly bearerTokenFile?: string;
  readonly tenant?: string;
  readonly kinds: readonly Source[];
};
/** Of those that follow the ledger. */
export type SinkConfig = RemoteWriteConfig | TracesConfig;
export type SinksConfig = {
  readonly remoteWrite: readonly RemoteWriteConfig[];
  /** Received logs are forwarded there. */
  readonly loki: readonly LokiConfig[];
  readonly traces?: TracesConfig;
  readonly seriesPerTerminal: number;
};

export const SINKS_DEFAULT: SinksConfig = {
  remoteWrite: [],
  loki: [],
  seriesPerTerminal: SERIES_PER_TERMINAL,
};

/** Each follows the ledger by itself and holds what it has not taken. */
const SINKS_MAX = 8;
const TIMEOUT_MS = { min: 100, max: 300_000, otherwise: 30_000 };
/** 2 to 5 thousand is what databases are tuned for (research/mqtt.md 4.2). */
const BATCH_SAMPLES = { min: 1, max: 50_000, otherwise: 4_000 };
const SERIES = { min: 1, max: 100_000, otherwise: SERIES_PER_TERMINAL };

type Kind = { readonly known: readonly string[]; readonly path: string };
const REMOTE_WRITE: Kind = {
  known: ['url', 'name', 'headers', 'bearerTokenFile', 'timeoutMs', 'batchSamples'],
  path: '/api/v1/write',
};
const TRACES: Kind = { known: ['url', 'name', 'headers', 'timeoutMs'], path: '/v1/traces' };

const LOKI: Kind = {
  known: [
    ...['url', 'name', 'headers', 'bearerTokenFile', 'timeoutMs'],
    ...['path', 'tenant', 'kinds'],
  ],
  path: '/loki/api/v1/push',
};
/** [Loki: tenant IDs]; several of them, joined by |, are for reading only. */
const TENANT = /^(?!\.{1,2}$)[A-Za-z0-9!_.*'()-]{1,150}$/;

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

function readTokenFile(
  { bearerTokenFile: file }: Fields,
  path: Path,
  complain: Complain,
): { readonly bearerTokenFile?: string } {
  if (file === undefined) return {};
  if (typeof file !== 'string' || !isAbsolute(file)) {
    complain([...path, 'bearerTokenFile'], 'must be the whole path of a file, from /');
  }
  return { bearerTokenFile: String(file) };
}

function readRemoteWrite(value: unknown, path: Path, complain: Complain): RemoteWriteConfig {
  const fields = readFields(value, path, REMOTE_WRITE, complain);
  const { batchSamples } = fields;
  return {
    kind: 'remote_write',
    ...readCommon(fields, path, REMOTE_WRITE, complain),
    ...readTokenFile(fields, path, complain),
    batchSamples: readNumber(batchSamples, [...path, 'batchSamples'], BATCH_SAMPLES, complain),
  };
}

function readKinds(value: unknown, path: Path, complain: Complain): readonly Source[] {
  if (value === undefined) return SOURCES;
  const kinds = Array.isArray(value) ? value : [];
  const known = SOURCES.filter((source) => kinds.includes(source));
  if (known.length === 0 || known.length !== kinds.length) {
    complain(path, `must be a list of ${SOURCES.join(', ')}, each once`);
  }
  return known;
}

function readLoki(value: unknown, path: Path, complain: Complain): LokiConfig {
  const fields = readFields(value, path, LOKI, complain);
  const { path: given = LOKI.path, tenant, kinds } = fields;
  const isPath = typeof given === 'string' && /^\/[\x21-\x7e]{1,200}$/.test(given);
  if (!isPath) complain([...path, 'path'], `must be the path of an address, such as ${LOKI.path}`);
  const common = readCommon(
    fields,
    path,
    { ...LOKI, path: isPath ? String(given) : LOKI.path },
    complain,
  );
  const isWhole = URL.canParse(common.url) && new URL(common.url).pathname !== given;
  if (fields['path'] !== undefined && isPath && isWhole) {
    complain([...path, 'path'], 'stands in the url already: leave one of them out');
  }
  if (tenant !== undefined && (typeof tenant !== 'string' || !TENANT.test(tenant))) {
    complain(
      [...path, 'tenant'],
      'must be the name of a tenant: up to 150 letters, digits and -_.',
    );
  }
  return {
    ...{ kind: 'loki', ...common, ...readTokenFile(fields, path, complain) },
    ...(tenant !== undefined && { tenant: String(tenant) }),
    kinds: readKinds(kinds, [...path, 'kinds'], complain),
  };
}

function readTraces(value: unknown, complain: Complain): TracesConfig {
  const path = ['traces'];
  const fields = readFields(value, path, TRACES, complain);
  return { kind: 'traces', ...readCommon(fields, path, TRACES, complain, 'traces') };
}

/** One, or a list of them. */
function readEach<T>(
  settings: Fields,
  key: string,
  readOne: (value: unknown, path: Path, complain: Complain) => T,
  complain: Complain,
): readonly T[] {
  const given = settings[key];
  if (given === undefined) return [];
  if (!Array.isArray(given)) return [readOne(given, [key], complain)];
  if (given.length > SINKS_MAX) complain([key], `at most ${SINKS_MAX} fit one broker`);
  return given.map((one, i) => readOne(one, [key, i], complain));
}

/** @returns the settings with every default in its place; what is wrong is complained of. */
export function readSinks(value: unknown, complain: Complain): SinksConfig {
  if (value === undefined) return SINKS_DEFAULT;
  if (!isFields(value)) {
    complain([], 'must be a group of settings, such as { remoteWrite: http://127.0.0.1:9090 }');
    return SINKS_DEFAULT;
  }
  for (const key of Object.keys(value)) {
    if (['remoteWrite', 'traces', 'loki', 'seriesPerTerminal'].includes(key)) continue;
    complain([key], 'is not a setting that the broker knows');
  }
  const { traces, seriesPerTerminal } = value;
  const config: SinksConfig = {
    remoteWrite: readEach(value, 'remoteWrite', readRemoteWrite, complain),
    loki: readEach(value, 'loki', readLoki, complain),
    ...(traces !== undefined && { traces: readTraces(traces, complain) }),
    seriesPerTerminal: readNumber(seriesPerTerminal, ['seriesPerTerminal'], SERIES, complain),
  };
  const names = [...sinksOf(config), ...config.loki].map(({ name }) => name);
  const twice = names.find((name, i) => name !== '' && names.indexOf(name) !== i);
  if (twice !== undefined) complain([], `two sinks are called "${twice}": give one of them a name`);
  return config;
}

export const sinksOf = ({
  remoteWrite,
  traces,
}: Pick<SinksConfig, 'remoteWrite' | 'traces'>): readonly SinkConfig[] => [
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
