// From what an operator wants of a terminal (its lines, what it prints from now on, a diagnosis) to a request that is
// kept and a signed command that carries it: both become true together, or neither.

import { randomUUID } from 'node:crypto';
import { COMMAND_EXPIRY_MS, type CommandKind, LOGS_EXPIRY_MS } from '../../protocol/commands.ts';
import { DIAGNOSIS_BYTES_MAX, LOG_ANSWER_BYTES, TAIL_MS } from '../../protocol/limits.ts';
import { holdsCard } from '../commands/card-words.ts';
import type { Actor, CommandRequest, Refusal } from '../commands/commands.ts';
import { refuse } from '../commands/view.ts';
import type { LogsOptions } from './logs.ts';
import type { LogFilters, LogKind, LogRecord } from './model.ts';
import type { Shelf } from './shelf.ts';
import type { LogStore } from './store.ts';
import type { LogView } from './view.ts';

export type Ask = {
  readonly terminal: string;
  readonly reason: string;
  readonly actor: Actor;
  readonly expiresMs?: number | undefined;
  readonly traceparent?: string | undefined;
  /** How long ago it was asked for. */
  readonly tookMs?: number | undefined;
  /** Of the caller: the same one again means the same request. */
  readonly idempotencyKey?: string | undefined;
};
/** Which records of the journal. */
export type Lines = Omit<LogFilters, 'forMs' | 'raise'> & {
  readonly components?: readonly string[] | undefined;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly bytesMax?: number | undefined;
};
export type LogAsk = Ask & Lines & { readonly group?: string };
/** The last lines of an incident, which nobody has to ask for. */
export type IncidentAsk = Ask & Lines & { readonly incident: string };
export type TailAsk = Omit<Ask, 'expiresMs'> &
  Pick<LogFilters, 'level' | 'text' | 'forMs' | 'raise'> &
  Pick<Lines, 'components' | 'bytesMax'>;
/** One document about the whole terminal, as gzip of JSON. */
export type DiagnosisAsk = Ask;

export type Asked = { readonly ok: true; readonly view: LogView };

type Wanted = LogFilters &
  Required<
    Pick<LogRecord, 'what' | 'components' | 'sinceMs' | 'untilMs' | 'bytesMax' | 'expiresMs'>
  > &
  Pick<LogRecord, 'group' | 'incident'>;

const GONE = 'what was asked for under this Idempotency-Key is not kept any more: make a new one';

const COMMANDS: Readonly<Record<LogKind, CommandKind>> = {
  lines: 'logs',
  incident: 'logs',
  tail: 'tail',
  diagnosis: 'diagnose',
};

/** What was not said is absent, in records as in arguments. */
const said = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

export const filtersOf = (of: LogFilters): LogFilters => {
  const { level, text, pattern, last, context, searchMs, forMs, raise } = of;
  return said({ level, text, pattern, last, context, searchMs, forMs, raise });
};

/** @returns why nobody may look for that. */
export function wrongWords(of: Pick<LogFilters, 'text' | 'pattern'>): string | undefined {
  const wrong = (['text', 'pattern'] as const).find((field) => holdsCard(of[field] ?? ''));
  return wrong && `${wrong}: it holds card data, which no log has: look for what stands around it`;
}

/** What its terminal is told beside the request's id. */
function argumentsOf(wanted: Wanted): object {
  const { what, components, sinceMs, untilMs, bytesMax } = wanted;
  if (what === 'diagnosis') return {};
  const window = what === 'tail' ? {} : { sinceMs, untilMs };
  return { components, ...window, bytesMax, ...filtersOf(wanted) };
}

const newRecord = (ask: Ask, wanted: Wanted, now: number): LogRecord => ({
  id: randomUUID(),
  ...{ terminal: ask.terminal, operator: ask.actor.name, reason: ask.reason.trim(), command: '' },
  ...said(wanted),
  createdMs: now,
  ...{ state: 'open', bytes: 0, lines: 0, error: '', changedMs: now },
  ...{ redactor: '', sha256: '', redactions: 0, truncated: false, fromMs: 0 },
});

export type Places = Pick<Shelf, 'roomFor'> & {
  readonly store: Pick<LogStore, 'get' | 'save'>;
  readonly view: (record: LogRecord) => LogView;
};

export type Asking = ReturnType<typeof createAsking>;

export function createAsking(options: LogsOptions, { store, roomFor, view }: Places) {
  const { fleet, commands, clock, log } = options;

  /** What was asked for before under the same key. */
  function findAgain(request: CommandRequest): LogRecord | Refusal | undefined {
    const known = request.idempotencyKey === undefined ? undefined : commands.again(request);
    if (known === undefined || !known.ok) return known;
    const id: unknown = Reflect.get(commands.get(known.id)?.arguments ?? {}, 'request');
    const record = typeof id === 'string' ? store.get(id) : undefined;
    return record ?? refuse('conflict', GONE);
  }

  /** Both, in one transaction. */
  function queue(record: LogRecord, wish: CommandRequest): LogRecord | Refusal {
    const crowded = roomFor(record.what ?? 'lines', record.terminal);
    if (crowded !== undefined) return refuse('too_many', crowded);
    const created = commands.create(wish);
    if (!created.ok) return created;
    const queued = { ...record, command: created.id };
    store.save(queued);
    return queued;
  }

  function ask(asked: Ask, wanted: Wanted): Asked | Refusal {
    const wrong = wrongWords(wanted);
    if (wrong !== undefined) return refuse('invalid', wrong);
    const record = newRecord(asked, wanted, clock.wallMs());
    const { id: request, createdMs, expiresMs } = record;
    const { terminal, reason, actor, traceparent, tookMs, idempotencyKey } = asked;
    const told = argumentsOf(wanted);
    const wish = {
      ...{ terminal, reason, actor, traceparent, tookMs, idempotencyKey },
      kind: COMMANDS[wanted.what],
      arguments: { request, ...told },
      said: told,
      expiresMs: expiresMs - createdMs,
    };
    // Before there is made room: what is there already needs none.
    const known = findAgain(wish);
    if (known !== undefined) return 'ok' in known ? known : { ok: true, view: view(known) };
    const done = fleet.database.transact(() => queue(record, wish));
    if (!done.ok) return refuse('unavailable', done.reason);
    if ('ok' in done.value) return done.value;
    log.info(`${wanted.what} asked for`, { request, terminal, operator: actor.name });
    return { ok: true, view: view(done.value) };
  }

  const expiry = (ms: number): { expiresMs: number } => ({ expiresMs: clock.wallMs() + ms });
  /** Of lines, by whomever they are wanted. */
  const wantedOf = (asked: Lines & Pick<Ask, 'expiresMs'>) => {
    const { components = [], sinceMs, untilMs, bytesMax = LOG_ANSWER_BYTES } = asked;
    const window = { components, sinceMs, untilMs, bytesMax };
    return { ...window, ...filtersOf(asked), ...expiry(asked.expiresMs ?? LOGS_EXPIRY_MS) };
  };

  return {
    create: (asked: LogAsk) =>
      ask(asked, { what: 'lines', ...wantedOf(asked), group: asked.group }),
    createForIncident: (asked: IncidentAsk) =>
      ask(asked, { what: 'incident', ...wantedOf(asked), incident: asked.incident }),
    tail: (asked: TailAsk) => {
      const { components = [], bytesMax = LOG_ANSWER_BYTES, forMs = TAIL_MS } = asked;
      const { level, text, raise } = asked;
      const now = clock.wallMs();
      const window = { components, sinceMs: now, untilMs: now + forMs, bytesMax };
      const filters = { level, text, raise, forMs };
      return ask(asked, { what: 'tail', ...window, ...filters, ...expiry(COMMAND_EXPIRY_MS) });
    },
    diagnose: (asked: DiagnosisAsk) => {
      const now = clock.wallMs();
      const window = { components: [], sinceMs: now, untilMs: now, bytesMax: DIAGNOSIS_BYTES_MAX };
      const until = expiry(asked.expiresMs ?? COMMAND_EXPIRY_MS);
      return ask(asked, { what: 'diagnosis', ...window, ...until });
    },
  };
}
