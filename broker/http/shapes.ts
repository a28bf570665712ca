// What the API answers with, as JSON schemas: they are the OpenAPI document's components, and Fastify
// writes answers by them. Objects stay open, so that a field somebody forgot here is still sent; a test
// closes them and finds it. Times are milliseconds since 1970, in numbers: clocks that are corrected have
// fractions.

import { AWAY_REASONS, CAUSES, COMPONENT_STATES, MODES } from '../../protocol/events.ts';
import { QUEUE_STATES } from '../commands/queue.ts';
import { PRESENCES } from '../fleet/view.ts';
import { REDUCERS } from '../history/answer.ts';
import { configurationShapes } from './schemas-configurations.ts';
import { identityShape } from './schemas-identity.ts';
import { maintenanceShapes } from './schemas-maintenance.ts';
import { targetShapes } from './schemas-targets.ts';
import {
  count,
  flag,
  list,
  number,
  object,
  oneOf,
  rowId,
  type Schema,
  text,
  timeMs,
} from './shape-parts.ts';
import { bulkShapes } from './shapes-bulk.ts';
import { describedShape } from './shapes-described.ts';
import { errorShapes } from './shapes-errors.ts';
import { logShapes } from './shapes-logs.ts';
import { storeShapes } from './shapes-stores.ts';

const counts = { type: 'object', additionalProperties: count } as const;
const anything = { type: 'object', additionalProperties: true } as const;

const presence = oneOf(PRESENCES);
const componentState = oneOf([...COMPONENT_STATES, 'unknown']);
const trace = { type: 'string', description: 'id of its trace, 32 characters of hex' };
const commandState = oneOf(QUEUE_STATES);

const component = object(
  {
    name: text,
    version: text,
    mode: { ...oneOf(MODES), description: 'observe: decided and told, not acted on' },
    state: componentState,
    restarts: {
      type: 'object',
      description: 'how often it was restarted, by cause',
      additionalProperties: count,
    },
    restartsTotal: count,
    lastReason: text,
    lastCause: oneOf(CAUSES),
    pid: count,
    instance: text,
    sinceMs: timeMs,
  },
  ...['lastCause', 'pid', 'instance', 'sinceMs'],
);

const logs = { type: 'string', description: 'id of the request for its last lines' };
const incident = object(
  {
    ...{ incident: text, component: text, cause: text, reason: text },
    ...{ openedMs: timeMs, quarantined: flag, logs },
  },
  'logs',
);

const device = object({
  component: text,
  device: text,
  state: text,
  troubles: list(text),
  atMs: timeMs,
});

const away = object({
  fromMs: timeMs,
  untilMs: timeMs,
  why: { ...oneOf(AWAY_REASONS), description: 'what took most of the time' },
  parts: { ...anything, description: 'milliseconds by reason', additionalProperties: number },
  reason: text,
});

const terminal = object(
  {
    id: text,
    store: text,
    ...describedShape,
    identity: identityShape,
    presence,
    connected: flag,
    lastSeenMs: timeMs,
    closed: object({ why: text, timeMs }),
    agent: object({ version: text, node: text, starts: count }),
    timeZone: { type: 'string', description: 'IANA name of its local time' },
    components: list(component),
    openIncidents: list(incident),
    devices: list(device),
    held: object({ by: text, reason: text, untilMs: timeMs }),
    disk: object({ level: text, reason: text }),
    away,
    clockSkewMs: { type: 'number', description: "its own clock minus the broker's" },
    clockLeftMs: { type: 'number', description: 'what of that it does not correct' },
    clockOffsetMs: number,
    samples: count,
    events: count,
  },
  ...['identity', 'lastSeenMs', 'closed', 'timeZone', 'held', 'disk', 'away'],
  ...['clockSkewMs', 'clockLeftMs', 'region', 'configuration', 'maintenance'],
);

const pair = { component: text, version: text };

const command = object(
  {
    ...{ id: text, terminal: text, kind: text, arguments: anything, state: commandState },
    ...{ reason: text, operator: text, issuedMs: timeMs, expiresMs: timeMs, sends: count },
    trace,
    bulk: { type: 'string', description: 'id of the bulk action that it is a part of' },
    history: list(
      object({ state: commandState, timeMs, reason: text, detail: anything }, 'detail'),
    ),
  },
  ...['trace', 'bulk'],
);

/** By name, as `$ref: Name#` finds them. */
export const shapes = {
  ...targetShapes,
  ...maintenanceShapes,
  ...bulkShapes,
  ...configurationShapes,
  ...errorShapes,
  ...logShapes,
  ...storeShapes,
  Problem: object({
    type: { type: 'string', description: 'about:blank: the status says it all' },
    title: text,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string', description: 'a sentence for the person who reads it' },
  }),
  Health: object({ status: { type: 'string', enum: ['ok'] } }),
  Fleet: object({
    terminals: object({ total: count, never: count, online: count, late: count, lost: count }),
    versions: list(object({ ...pair, terminals: count })),
    states: list(object({ component: text, state: componentState, count })),
    restarts: list(object({ ...pair, cause: oneOf(CAUSES), count })),
    agentStarts: count,
    clockSkewed: { ...count, description: 'terminals whose clock is off by a minute or more' },
    incidents: { ...counts, description: 'that are open, by cause' },
    devices: { ...counts, description: 'with something wrong, by their state' },
  }),
  Terminal: terminal,
  History: object({
    terminal: text,
    name: text,
    sinceMs: timeMs,
    untilMs: timeMs,
    stepMs: { ...count, description: 'length of a bucket; 0: every sample as it was taken' },
    by: { ...oneOf(REDUCERS), description: 'what stands for a bucket' },
    series: list(
      object({
        labels: { type: 'object', additionalProperties: text },
        points: {
          ...list({
            type: 'array',
            minItems: 2,
            maxItems: 2,
            items: { type: ['number', 'string'] },
          }),
          description:
            'time in milliseconds since 1970 and value; a bucket has the time at which it begins; ' +
            'NaN and infinities are text, as in Prometheus',
        },
      }),
    ),
    more: { ...flag, description: 'whether more series fit than one answer holds' },
  }),
  SuppressedReport: object({
    sinceMs: timeMs,
    groups: list(
      object({
        ...pair,
        cause: text,
        rung: text,
        by: { type: 'string', description: 'observe, or hold: a technician held the terminal' },
        count,
        terminals: { ...count, description: 'on how many it was' },
        terminal: { type: 'string', description: 'where it was last' },
        firstMs: timeMs,
        lastMs: timeMs,
        reason: { type: 'string', description: 'of the last one' },
      }),
    ),
    total: count,
    complete: { ...flag, description: 'false when there was more than one report reads' },
  }),
  TerminalPage: object({
    terminals: list({ $ref: 'Terminal#' }),
    total: { ...count, description: 'how many fit, on all pages' },
    next: {
      type: ['string', 'null'],
      description: 'the cursor of the next page; null on the last one',
    },
  }),
  Event: object(
    {
      ...{ id: rowId, terminal: text, store: text },
      timeMs: { ...timeMs, description: 'when it happened, by the terminal' },
      receivedMs: { ...timeMs, description: 'when the broker had it on disk' },
      kind: text,
      component: { type: 'string', description: 'empty when it concerns the whole terminal' },
      fields: { ...anything, description: 'what belongs to its kind' },
      logs,
    },
    'logs',
  ),
  EventPage: object({
    events: list({ $ref: 'Event#' }),
    next: {
      ...rowId,
      description:
        'the "after" of the next page. There may be fewer events than asked for although there are ' +
        'more; all have been seen when it no longer changes',
    },
  }),
  Queued: object({ id: text, state: commandState, trace }),
  Command: command,
  Commands: object({ commands: list({ $ref: 'Command#' }) }),
  Sinks: object({
    sinks: list(
      object({
        name: text,
        kind: oneOf(['remote_write', 'traces', 'loki']),
        url: text,
        up: { type: ['boolean', 'null'], description: 'null: not asked yet' },
        ...{ behindBatches: count, behindSeconds: number, taken: count, lastError: text },
        sentences: { ...list(text), description: 'what is wrong or missing, with the flag to set' },
      }),
    ),
    deadLetters: list(
      object({
        ...{ sink: text, terminal: text, reason: text, sentence: text, sample: text },
        ...{ count, firstMs: timeMs, lastMs: timeMs },
      }),
    ),
  }),
  Audit: object(
    {
      entries: list(
        object({
          id: rowId,
          timeMs,
          operator: text,
          action: text,
          subject: text,
          reason: text,
          outcome: text,
          detail: anything,
          hash: { type: 'string', description: 'SHA-256 over this entry and the one before' },
        }),
      ),
      next: { type: 'integer', description: 'cursor of what is older; none: that was all' },
    },
    'next',
  ),
  AuditHead: object({
    ...{ id: rowId, timeMs, count },
    hash: { type: 'string', description: 'of the newest entry' },
    key: { type: 'string', description: 'public, the one that audit-key.pub shows' },
    signature: { type: 'string', description: 'Ed25519, base64' },
  }),
} as const satisfies Record<string, Schema>;

export type ShapeName = keyof typeof shapes;
