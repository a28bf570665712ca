// One of everything that can be said: an event of each kind, a result in each state, a command of each kind, what an
// acknowledgement can carry, samples of an hour, a span. What a session does not cause cheaply is encoded here by the
// version's own code. The tables are typed by the kinds, so that a new kind without an example does not compile and no
// recording is made that leaves it out.

import { generateKeyPairSync } from 'node:crypto';
import { packBody } from '../../protocol/body.ts';
import type { CommandContent, CommandKind } from '../../protocol/commands.ts';
import {
  COMMAND_STATES,
  encodeResultBody,
  publicKeyText,
  signCommand,
} from '../../protocol/commands.ts';
import { type EventFields, type EventKind, encodeEventBody } from '../../protocol/events.ts';
import { formatHello } from '../../protocol/hello.ts';
import { encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { encodeTraces } from '../../protocol/traces.ts';
import { type Ack, encodeAck, encodeBatch, NO_EPOCH, type Stream } from '../../protocol/wire.ts';
import { type Line, toBase64 } from './recording.ts';

/** Of everything that is made: the same each time, so that a new recording differs only where the wire does. */
export const MADE_MS = Date.UTC(2026, 10, 20, 12);
export const TERMINAL = 'lane-3';
export const MADE_EPOCH = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
export const MADE_GENERATION = Buffer.from('ffeeddccbbaa99887766554433221100', 'hex');
const UUID = '5ff1f2f0-0f4e-4b6a-9a53-4f0a6c1d2e3f';
const SHA = 'ab'.repeat(32);
const incident = 'i-1';

const events: { [K in EventKind]: EventFields<K> } = {
  agent_started: {
    version: '0.1.0',
    node: '24.21.0',
    bootId: 'b',
    adopted: ['sale'],
    sendMs: 60_000,
  },
  agent_stopping: { reason: 'SIGTERM', left: ['sale'] },
  inventory: {
    ...{ agent: '0.1.0', os: 'Linux 6.1', hostname: 'till-3', timeZone: 'Europe/Berlin' },
    components: [{ name: 'sale', version: '2.4.1', mode: 'act' }],
    configuration: { state: 'kept', name: 'all-tills', version: 7, sha256: SHA, overridden: true },
  },
  component_state: {
    ...{ from: 'ready', to: 'backoff', cause: 'crash', reason: 'exit code 1', version: '2.4.1' },
    ...{ instance: UUID, pid: 4_711 },
  },
  incident_opened: {
    incident,
    cause: 'hang',
    reason: 'no beat',
    version: '2.4.1',
    evidence: { threads: 7 },
  },
  incident_recovered: { incident, cause: 'hang', detectedMs: 2_000, readyMs: 2_600, attempts: 1 },
  incident_quarantined: { incident, cause: 'crash', reason: 'every rung was used', attempts: 9 },
  recovery: { incident, rung: 'restart', cause: 'hang', reason: 'first rung', signature: 's' },
  recovery_outcome: {
    incident,
    rung: 'restart',
    cause: 'hang',
    held: true,
    afterMs: 60_000,
    reason: 'held',
  },
  recovery_suppressed: {
    ...{ incident, rung: 'restart', cause: 'hang', reason: 'it only watches', version: '2.4.1' },
    ...{ by: 'observe', evidence: { threads: 7 } },
  },
  hold: {
    active: true,
    reason: 'printer',
    by: 'root',
    untilMs: MADE_MS + 1_000,
    maintenance: UUID,
  },
  configuration: {
    ...{ what: 'rolled_back', name: 'all-tills', version: 7, sha256: SHA, reason: 'not ready' },
    restarted: ['sale'],
  },
  reboot: { incident, reason: 'the last rung', uptimeMs: 1_000_000 },
  resource_held: { what: 'port 9101', pid: 12, comm: 'node', reason: 'still listening' },
  disk: { level: 'journal', freeBytes: 123_456_789, reason: 'it fills' },
  output_dropped: { bytes: 1_000, reason: 'a flood' },
  drill: {
    drill: UUID,
    fault: 'hang',
    phase: 'passed',
    reason: 'healed',
    detail: { readyMs: 2_500 },
  },
  gap: {
    ...{ epoch: '00'.repeat(16), stream: 'metrics', first: 1, last: 3, samples: 900 },
    ...{ fromMs: MADE_MS - 2_000, untilMs: MADE_MS - 1_000, reason: 'dropped for room' },
  },
  thinned: {
    fromMs: MADE_MS - 9_000,
    untilMs: MADE_MS,
    everyMs: 60_000,
    samples: 3,
    reason: 'room',
  },
  away: {
    fromMs: MADE_MS - 9_000,
    untilMs: MADE_MS,
    why: 'power',
    parts: { power: 9_000 },
    reason: 'dark',
  },
  version_changed: { what: 'component', name: 'sale', from: '2.4.0', to: '2.4.1' },
  identity: { what: 'renewed', reason: 'in time', expiresMs: MADE_MS + 9_000, trust: 2 },
  command_refused: { why: 'expired', reason: 'too late', command: UUID, count: 1 },
  error_signature: {
    ...{ signature: 'abcd', pattern: 'cannot reach <*>', level: 'error', version: '2.4.1' },
    ...{ sample: 'cannot reach 10.0.0.1', count: 3, total: 9, firstMs: MADE_MS, lastMs: MADE_MS },
    isNew: true,
  },
  redaction_missed: {
    where: 'tail',
    request: UUID,
    kinds: { pan: 1 },
    reason: 'found on the way out',
  },
  series_left_out: { names: ['a'], count: 1, seriesMax: 150, reason: 'over the budget' },
};

type Arguments<K extends CommandKind> = Extract<CommandContent, { kind: K }>['arguments'];
const window = {
  components: ['sale'],
  sinceMs: MADE_MS - 9_000,
  untilMs: MADE_MS,
  bytesMax: 1_000,
};
const commands: { [K in CommandKind]: Arguments<K> } = {
  restart: { component: 'sale', force: true },
  stop: { component: 'sale' },
  start: { component: 'sale' },
  restart_all: { force: false },
  reboot: {},
  probe: { component: 'sale' },
  diagnose: { request: UUID },
  unquarantine: { component: 'sale' },
  reset_budget: {},
  reopen: { component: 'sale', device: 'printer' },
  hold: { forMs: 60_000, maintenance: UUID },
  release: {},
  log_level: { component: 'agent', level: 'debug', forMs: 60_000 },
  configure: { yaml: 'mode: observe\n', sha256: SHA },
  apply: { name: 'all-tills', version: 7, sha256: SHA, packed: 'qzw9', readyMs: 60_000 },
  purge_logs: { component: 'sale', beforeMs: MADE_MS },
  drill: { fault: 'hang' },
  logs: {
    request: UUID,
    ...window,
    level: 'warn',
    text: 'card',
    last: 100,
    context: 2,
    searchMs: 9_000,
  },
  tail: {
    request: UUID,
    components: [],
    bytesMax: 1_000,
    forMs: 60_000,
    level: 'info',
    raise: 'debug',
  },
  cancel_logs: { request: UUID },
  trust: {
    ...{ version: 2, authorities: ['-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'] },
    ...{ commandKeys: [`ed25519:${'A'.repeat(43)}=`], renew: true },
  },
};

const acks: readonly Ack[] = [
  // The greeting.
  { ...ack(), epoch: NO_EPOCH },
  { ...ack(), streams: [{ stream: 'events', ranges: [{ first: 1, last: 2 }] }] },
  {
    ...ack(),
    streams: [
      {
        stream: 'metrics',
        ranges: [
          { first: 1, last: 1 },
          { first: 3, last: 9 },
        ],
      },
    ],
    refused: [{ stream: 'metrics', seq: 2, reason: 'its number was committed with other bytes' }],
    ...{ paceBytesPerSecond: 20_000, notice: 'a batch on events was dropped: no known encoding' },
    ...{ sendEveryMs: 15_000, logCredits: 12 },
  },
];

function ack(): Ack {
  const now = { brokerTimeMs: MADE_MS, paceBytesPerSecond: 0, ledgerGeneration: MADE_GENERATION };
  return { epoch: MADE_EPOCH, streams: [], refused: [], ...now, notice: '' };
}

/** Ten minutes by the quarter minute: what is sent after a time without a line. */
const backlog = (): Snapshot[] =>
  Array.from({ length: 40 }, (_, at) => ({
    timeMs: MADE_MS - 600_000 + at * 15_000,
    samples: [
      { name: 'pos_component_up', labels: { component: 'sale' }, value: at % 7 === 0 ? 0 : 1 },
      { name: 'pos_host_cpu_seconds_total', labels: {}, value: at * 0.25 },
      { name: 'pos_host_load', labels: { window: '1m' }, value: Math.sin(at) },
      { name: 'pos_outbox_bytes', labels: {}, value: 4_096 * at },
    ],
  }));

const trace = (): Uint8Array =>
  encodeTraces([
    {
      resource: { 'service.name': 'tillwatch-agent' },
      spans: [
        {
          ...{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), parentSpanId: 'ef'.repeat(8) },
          ...{ name: 'recover sale', kind: 'internal', startMs: MADE_MS, endMs: MADE_MS + 2_600 },
          attributes: { rung: 'restart', attempts: 1, held: true, seconds: 2.6 },
          events: [{ timeMs: MADE_MS + 2_000, name: 'killed', attributes: { pid: 7 } }],
          status: { code: 'error', message: 'hang' },
        },
      ],
    },
  ]);

export function madeBatch(stream: Stream, seq: number, body: Uint8Array, packed = true): Line {
  const { encoding, body: data } = packed
    ? packBody(body)
    : { encoding: 'identity' as const, body };
  const head = { epoch: MADE_EPOCH, stream, seq, createdMs: MADE_MS, clockOffsetMs: -1_234 };
  return { what: 'batch', stream, data: toBase64(encodeBatch({ ...head, encoding, body: data })) };
}

const madeEvents = (): Uint8Array =>
  encodeEventBody(
    Object.entries(events).map(([kind, fields], at) => ({
      ...{ id: `made-${at}`, timeMs: MADE_MS + at, kind, fields },
      component: /^(component|incident|recovery|error)/.test(kind) ? 'sale' : '',
    })),
  );

const idOf = (at: number): string => UUID.replace(/..$/, String(at).padStart(2, '0'));

const madeResults = (): Uint8Array =>
  encodeResultBody(
    COMMAND_STATES.map((state, at) => ({
      ...{ commandId: idOf(at), state, reason: `it is ${state}`, timeMs: MADE_MS + at },
      detail: { at },
    })),
  );

/** @returns lines of one terminal, and the key that its commands are signed with. */
export function makeLines(): { readonly lines: readonly Line[]; readonly commandKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const hello = { machine: 'a'.repeat(16), instance: '1'.repeat(16), trust: 2 };
  const signed = Object.entries(commands).map(([kind, args], at): Line => {
    const content = { kind, arguments: args } as CommandContent;
    const when = { issuedMs: MADE_MS, expiresMs: MADE_MS + 300_000 };
    const who = { operator: 'ada', reason: 'a recording', traceparent: '' };
    const command = { id: idOf(at), terminal: TERMINAL, ...when, ...who, ...content };
    return { what: 'command', data: toBase64(signCommand(command, privateKey)) };
  });
  return {
    lines: [
      { what: 'connect', client: TERMINAL, user: formatHello(hello) },
      madeBatch('events', 1, madeEvents()),
      madeBatch('results', 1, madeResults()),
      madeBatch('metrics', 1, encodeMetricBody(backlog())),
      madeBatch('metrics', 2, encodeMetricBody(backlog().slice(-1)), false),
      madeBatch('traces', 1, trace()),
      ...acks.map((one): Line => ({ what: 'ack', data: toBase64(encodeAck(one)) })),
      ...signed,
    ],
    commandKey: publicKeyText(privateKey),
  };
}
