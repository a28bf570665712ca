// From what an operator wants of a terminal (its lines, or a diagnosis) to a request that is kept and a signed command
// that carries it: both become true together, or neither.

import { randomUUID } from 'node:crypto';
import { COMMAND_EXPIRY_MS, LOGS_EXPIRY_MS } from '../../protocol/commands.ts';
import { DIAGNOSIS_BYTES_MAX, LOG_ANSWER_BYTES } from '../../protocol/limits.ts';
import type { Actor, CommandRequest, Refusal } from '../commands/commands.ts';
import { refuse } from '../commands/view.ts';
import type { LogsOptions } from './logs.ts';
import { type LogRecord, REQUESTS_KEPT_MAX } from './model.ts';
import type { LogStore } from './store.ts';
import type { LogView } from './view.ts';

type Ask = {
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
export type LogAsk = Ask & {
  readonly components?: readonly string[] | undefined;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly bytesMax?: number | undefined;
};
/** One document about the whole terminal, as gzip of JSON. */
export type DiagnosisAsk = Ask;

export type Asked = { readonly ok: true; readonly view: LogView };

type Wanted = Required<
  Pick<LogRecord, 'what' | 'components' | 'sinceMs' | 'untilMs' | 'bytesMax' | 'expiresMs'>
>;

const GONE = 'what was asked for under this Idempotency-Key is not kept any more: make a new one';

const newRecord = (ask: Ask, wanted: Wanted, now: number): LogRecord => ({
  id: randomUUID(),
  ...{ terminal: ask.terminal, operator: ask.actor.name, reason: ask.reason.trim(), command: '' },
  ...wanted,
  createdMs: now,
  ...{ state: 'open', bytes: 0, lines: 0, error: '', changedMs: now },
  ...{ redactor: '', sha256: '', redactions: 0, truncated: false, fromMs: 0 },
});

export type Shelf = {
  readonly store: Pick<LogStore, 'get' | 'save'>;
  /** Makes room for one more. @returns whether there is any. */
  readonly trim: () => boolean;
  readonly view: (record: LogRecord) => LogView;
};

export function createAsking(options: LogsOptions, { store, trim, view }: Shelf) {
  const { fleet, commands, clock, log, keptMax = REQUESTS_KEPT_MAX } = options;

  /** What was asked for before under the same key. */
  function findAgain(request: CommandRequest): LogRecord | Refusal | undefined {
    const known = request.idempotencyKey === undefined ? undefined : commands.again(request);
    if (known === undefined || !known.ok) return known;
    const id: unknown = Reflect.get(commands.get(known.id)?.arguments ?? {}, 'request');
    const record = typeof id === 'string' ? store.get(id) : undefined;
    return record ?? refuse('conflict', GONE);
  }

  function ask(asked: Ask, wanted: Wanted): Asked | Refusal {
    const record = newRecord(asked, wanted, clock.wallMs());
    const { id: request, components, sinceMs, untilMs, bytesMax } = record;
    const { terminal, reason, actor, traceparent, tookMs, idempotencyKey } = asked;
    const isDiagnosis = wanted.what === 'diagnosis';
    const wish = {
      ...{ terminal, reason, actor, traceparent, tookMs, idempotencyKey },
      kind: isDiagnosis ? 'diagnose' : 'logs',
      arguments: isDiagnosis ? { request } : { request, components, sinceMs, untilMs, bytesMax },
      said: isDiagnosis ? {} : { components, sinceMs, untilMs, bytesMax },
      expiresMs: record.expiresMs - record.createdMs,
    };
    // Before there is made room: what is there already needs none.
    const known = findAgain(wish);
    if (known !== undefined) return 'ok' in known ? known : { ok: true, view: view(known) };
    const done = fleet.database.transact((): LogRecord | Refusal => {
      if (!trim()) {
        const full = `${keptMax} requests for logs have not been answered yet`;
        return { ok: false, kind: 'too_many', reason: full };
      }
      const created = commands.create(wish);
      if (!created.ok) return created;
      const queued = { ...record, command: created.id };
      store.save(queued);
      return queued;
    });
    if (!done.ok) return { ok: false, kind: 'unavailable', reason: done.reason };
    if ('ok' in done.value) return done.value;
    log.info(`${wanted.what} asked for`, { request, terminal, operator: actor.name });
    return { ok: true, view: view(done.value) };
  }

  return {
    create: ({ components = [], sinceMs, untilMs, bytesMax, ...asked }: LogAsk) => {
      const window = { components, sinceMs, untilMs, bytesMax: bytesMax ?? LOG_ANSWER_BYTES };
      const expiresMs = clock.wallMs() + (asked.expiresMs ?? LOGS_EXPIRY_MS);
      return ask(asked, { what: 'lines', ...window, expiresMs });
    },
    diagnose: (asked: DiagnosisAsk) => {
      const now = clock.wallMs();
      const window = { components: [], sinceMs: now, untilMs: now, bytesMax: DIAGNOSIS_BYTES_MAX };
      const expiresMs = now + (asked.expiresMs ?? COMMAND_EXPIRY_MS);
      return ask(asked, { what: 'diagnosis', ...window, expiresMs });
    },
  };
}
