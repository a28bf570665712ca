// Reads the broker's configuration: YAML, once, strictly, and with all its problems at once, each with
// its path, its line and a sentence. Both ports speak TLS; plain text is for one machine, and only where the file
// asks for it: whoever reached such a port could speak for any till. Unknown settings are refused, because a
// misspelt one would silently be its default.

import * as v from 'valibot';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { ID_PATTERN, ID_RULE } from '../protocol/ids.ts';
import { type BackupSettings, backupSettings, settleBackup } from './config-backup.ts';
import { bulkSettings } from './config-bulk.ts';
import { logSettings } from './config-logs.ts';
import { type Found, group, objectAt, whole } from './config-parts.ts';
import { openPlaces, type Places, placeSettings, settlePlaces } from './config-places.ts';
import { RETENTION, type Retention, retentionSchema } from './config-retention.ts';
import { sinksSchema } from './config-sinks.ts';
import { SILENT_MS_MAX } from './fleet/presence.ts';
import { HTTP_LIMITS } from './http/limits.ts';
import { GATE_LIMITS, MQTT_LIMITS } from './mqtt/limits.ts';
import { BACKLOG_BYTES_PER_SECOND } from './pace.ts';

/** 10 000 terminals with long names are about half of it. */
export const CONFIG_BYTES_MAX = 2 * 1024 * 1024;
const TERMINALS_MAX = 20_000;
/** More would not help anybody; a file of the wrong kind has thousands. */
const PROBLEMS_MAX = 100;
const DAY_MS = 86_400_000;
const { terminal: TERMINAL } = MQTT_LIMITS;

const id = v.pipe(v.string(ID_RULE), v.regex(ID_PATTERN, ID_RULE));
const terminals = v.pipe(
  v.array(v.strictObject({ id, store: id }), 'must be a list of { id, store }'),
  v.maxLength(TERMINALS_MAX, `at most ${TERMINALS_MAX} terminals fit one broker`),
);

const ledgerBytes = RETENTION.ledger.rows.bytesMax;
const SETTINGS_ONLY = 'the file must hold settings, such as `dataDir: /var/lib/tillwatch`';

export const brokerSchema = v.strictObject(
  {
    ...placeSettings,
    enrolment: group({
      certificateDays: v.optional(whole(1, 825), 90),
      // So long after its end a certificate still serves to renew itself, and for nothing else.
      graceDays: v.optional(whole(0, 365), 60),
      tokenMinutes: v.optional(whole(1, 7 * 1_440), 60),
    }),
    terminals: v.optional(terminals, []),
    acceptUnknown: v.optional(v.boolean('must be true or false'), false),
    // No terminal is late before lateMs without a sign nor lost before lostMs. One that sends each minute or less
    // often, or unevenly, has in proportion longer, and is lost after silentMsMax in any case.
    presence: group({
      lateMs: v.optional(whole(1_000, DAY_MS), 90_000),
      lostMs: v.optional(whole(1_000, DAY_MS), 300_000),
      silentMsMax: v.optional(whole(1_000, 7 * DAY_MS), SILENT_MS_MAX),
    }),
    backup: backupSettings,
    bulk: bulkSettings,
    logs: logSettings,
    retention: retentionSchema,
    sinks: sinksSchema,
    // Before 0.4 it stood here; still read, as retention.ledger.bytesMax.
    ledger: group({ bytesMax: v.optional(whole(ledgerBytes.min, ledgerBytes.max)) }),
    limits: group({
      connections: v.optional(whole(1, 65_000), MQTT_LIMITS.connections),
      connectBurst: v.optional(whole(1, 1_000_000), MQTT_LIMITS.connects.burst),
      connectsPerSecond: v.optional(whole(1, 100_000), MQTT_LIMITS.connects.perSecond),
      backlogBytesPerSecond: v.optional(whole(1_000, 1024 ** 3), BACKLOG_BYTES_PER_SECOND),
      // TLS connections that have not finished their handshake: all together, and of one address.
      handshakes: v.optional(whole(1, 65_000), GATE_LIMITS.handshakes),
      handshakesPerAddress: v.optional(whole(1, 65_000), GATE_LIMITS.handshakesPerAddress),
      // Of one terminal, whatever its address. Above the last two it is read more slowly, and loses nothing.
      terminalConnectsPerMinute: v.optional(whole(1, 100_000), TERMINAL.connectsPerMinute),
      terminalPublishesPerSecond: v.optional(whole(10, 100_000), TERMINAL.publishesPerSecond),
      terminalBytesPerSecond: v.optional(whole(100_000, 1024 ** 3), TERMINAL.bytesPerSecond),
      // Of one address over HTTPS; behind a proxy everybody has the proxy's.
      httpConnectionsPerAddress: v.optional(whole(1, 1_000), HTTP_LIMITS.connectionsPerAddress),
      httpRequestsPerSecond: v.optional(whole(1, 100_000), HTTP_LIMITS.requestsPerSecond),
    }),
  },
  SETTINGS_ONLY,
);

type Written = v.InferOutput<typeof brokerSchema>;
export type BrokerConfig = Omit<Written, 'ledger' | 'backup' | keyof Places> &
  Places & { readonly backup?: BackupSettings | undefined };

/** `path` is empty when the file as a whole is wrong. */
export type Problem = { readonly path: string; readonly sentence: string };
export type Loaded =
  | { readonly ok: true; readonly config: BrokerConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export const formatProblem = ({ path, sentence }: Problem): string =>
  path === '' ? sentence : `${path}: ${sentence}`;

type Path = readonly (string | number)[];

/** As a person would write it: terminals[0].store */
const pathText = (path: Path): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');

type Parsed =
  | { readonly ok: true; readonly value: unknown; readonly lineOf: (path: Path) => number }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const ofTheFile = (sentence: string): { ok: false; problems: Problem[] } => ({
  ok: false,
  problems: [{ path: '', sentence }],
});

/** @returns the line of a value, or of what it should stand in when it is missing. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function parseYaml(text: string): Parsed {
  const size = Buffer.byteLength(text);
  if (size > CONFIG_BYTES_MAX) {
    return ofTheFile(`the file has ${size} bytes, at most ${CONFIG_BYTES_MAX} are read`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    merge: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  // A tag that is not known is a warning only, and would silently change what a value means.
  const faults = [...document.errors, ...document.warnings].slice(0, PROBLEMS_MAX);
  if (faults.length > 0) {
    const problems = faults.map((fault) => ({
      path: `line ${lines.linePos(fault.pos[0]).line}`,
      sentence: `not valid YAML: ${fault.message}`,
    }));
    return { ok: false, problems };
  }
  try {
    // An empty file is a configuration: everything has a default.
    const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) return ofTheFile(SETTINGS_ONLY);
    return { ok: true, value, lineOf: (path) => lineOf(document, lines, path) };
  } catch (cause) {
    return ofTheFile(`not valid YAML: ${(cause as Error).message}`);
  }
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'is not a setting that the broker knows';
  return issue.received === 'undefined' ? 'is missing' : issue.message;
}

/** What no single value can tell; asked of the raw value, to be told beside everything else. */
function relations(value: unknown): Found[] {
  const found: Found[] = [];
  const first = new Map<unknown, number>();
  Object.values(objectAt(value, 'terminals')).forEach((entry, index) => {
    const name = (entry as { id?: unknown } | null)?.id;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, index);
    else if (typeof name === 'string') {
      const sentence = `"${name}" is the id of terminals[${earlier}] already`;
      found.push({ path: ['terminals', index, 'id'], sentence });
    }
  });
  const { lateMs = 90_000, lostMs = 300_000 } = objectAt(value, 'presence');
  if (typeof lateMs === 'number' && typeof lostMs === 'number' && lateMs >= lostMs) {
    const sentence = `must be less than lostMs (${lostMs}): a terminal is late before it is lost`;
    found.push({ path: ['presence', 'lateMs'], sentence });
  }
  const { silentMsMax = SILENT_MS_MAX } = objectAt(value, 'presence');
  if (typeof silentMsMax === 'number' && typeof lostMs === 'number' && silentMsMax < lostMs) {
    const sentence = `must be at least lostMs (${lostMs}): it bounds what a slow rhythm makes of that`;
    found.push({ path: ['presence', 'silentMsMax'], sentence });
  }
  found.push(...openPlaces(value));
  const older = objectAt(value, 'ledger')['bytesMax'];
  const newer = objectAt(objectAt(value, 'retention'), 'ledger')['bytesMax'];
  if (older !== undefined && newer !== undefined && older !== newer) {
    const sentence =
      'is retention.ledger.bytesMax now, which says something else: leave this one out';
    found.push({ path: ['ledger', 'bytesMax'], sentence });
  }
  return found;
}

/** What an older file says where it stood then means the same; what it leaves out follows from the rest. */
function settle({ ledger, ...written }: Written, folder: string): BrokerConfig {
  const { retention } = written;
  const backup = settleBackup(written.backup, folder);
  const config = { ...written, ...settlePlaces(written, folder), backup };
  if (ledger.bytesMax === undefined) return config;
  const moved: Retention['ledger'] = { ...retention.ledger, bytesMax: ledger.bytesMax };
  return { ...config, retention: { ...retention, ledger: moved } };
}

/** @param folder where the file lies; a relative dataDir is meant from there. */
export function loadConfig(text: string, folder: string): Loaded {
  const parsed = parseYaml(text);
  if (!parsed.ok) return parsed;
  const checked = v.safeParse(brokerSchema, parsed.value);
  const found: Found[] = (checked.issues ?? []).map((issue) => ({
    path: (issue.path ?? []).map(({ key }) => key as string | number),
    sentence: sentenceOf(issue),
  }));
  found.push(...relations(parsed.value));
  if (checked.success && found.length === 0) {
    return { ok: true, config: settle(checked.output, folder) };
  }
  const problems = found.map(({ path, sentence }) => ({
    path: pathText(path),
    sentence: path.length === 0 ? sentence : `${sentence} (line ${parsed.lineOf(path)})`,
  }));
  const told = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return { ok: false, problems: [...told.values()].slice(0, PROBLEMS_MAX) };
}
