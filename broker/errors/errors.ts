// Errors as metrics, at the centre: takes what terminals tell of kinds of errors, within the transaction that keeps the
// event, so that each counts once whatever is killed, and answers which kinds are new or grow, and which versions
// have them. What a terminal says of itself is believed in its words, not in its sizes: all are cut.

import { setImmediate } from 'node:timers/promises';
import * as v from 'valibot';
import { eventSchemas, type TerminalEvent } from '../../protocol/events.ts';
import { NAME_CHARS_MAX, SAMPLE_CHARS_MAX, SIGNATURE_CHARS_MAX } from '../../protocol/limits.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../fleet/database.ts';
import type { EventPage, EventQuery } from '../fleet/events.ts';
import { answerOf, askHours, createSums, type ErrorAnswer, type ErrorQuery } from './ask.ts';
import { NO_MEMBERS, withMember } from './members.ts';
import { HOUR_MS, type RoomLimits } from './room.ts';
import { type ErrorStore, OVER, openErrorStore } from './store.ts';

const SIGNATURE = /^(?:[0-9a-f]{16})?$/;
const COUNT_MAX = 1e12;
/** Of one terminal's own events: pages of so many, so often. */
const PAGE_ROWS = 1_000;
const PAGES_MAX = 5;
/** That are being answered; each holds sums of all kinds of its window. */
const ASKING_MAX = 8;

export type Errors = {
  readonly ask: (query: ErrorQuery) => ErrorAnswer;
  /** The same, with the loop given to others between; undefined while too many ask. */
  readonly askInSteps: (query: ErrorQuery) => Promise<ErrorAnswer | undefined>;
  /** Kinds that are known, for /metrics. */
  readonly kinds: () => number;
  /** A step of what is too old, within a transaction. @returns how many rows went. */
  readonly expire: (beforeMs: number) => number;
};

export type ErrorsOptions = {
  readonly fleet: {
    readonly database: Database;
    readonly storeOf: (terminal: string) => string;
    readonly onNews: (listener: (terminal: string, event: TerminalEvent) => void) => void;
    readonly eventPage: (query: EventQuery) => EventPage;
  };
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Of the events that these follow. */
  readonly ageMsMax: number;
  readonly limits?: RoomLimits;
};

const KIND = 'error_signature';

/** Undefined: nothing that can be counted. */
function readFields(fields: TerminalEvent['fields']) {
  const read = v.safeParse(eventSchemas.error_signature, fields);
  if (!read.success || !SIGNATURE.test(read.output.signature)) return undefined;
  const { signature, level, pattern, sample, version, count, lastMs } = read.output;
  if (count <= 0 || count > COUNT_MAX) return undefined;
  return {
    ...{ signature, level, count, lastMs },
    pattern: pattern.slice(0, SIGNATURE_CHARS_MAX),
    sample: sample.slice(0, SAMPLE_CHARS_MAX),
    version: version.slice(0, NAME_CHARS_MAX),
  };
}

/** Of one terminal: its events say it to the hour, and there are few. */
function askTerminal(
  { fleet }: ErrorsOptions,
  store: ErrorStore,
  terminal: string,
  query: ErrorQuery,
): ErrorAnswer {
  const { sinceMs, untilMs, version } = query;
  const names = store.terminalNames();
  const from = Math.floor(sinceMs / HOUR_MS);
  const all = createSums(from, Math.floor(untilMs / HOUR_MS), names.length);
  const terminals = withMember(NO_MEMBERS, Math.max(0, names.indexOf(terminal)));
  // What is over its share lies there without its words.
  const over = store.kindBy(OVER.signature, OVER.component, OVER.level);
  let afterId: number | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const asked = { terminal, kind: KIND, sinceMs, untilMs, order: 'desc', afterId } as const;
    const { events, next, more } = fleet.eventPage({ ...asked, limit: PAGE_ROWS });
    for (const { component, fields } of events) {
      const told = readFields(fields);
      if (told === undefined || (version !== undefined && told.version !== version)) continue;
      const { signature, level } = told;
      const { id: kind } = store.kindBy(signature, component, level) ?? over ?? {};
      if (kind === undefined) continue;
      const hour = Math.floor(told.lastMs / HOUR_MS);
      const { count, lastMs } = told;
      const row = { hour, kind, version: told.version, count, lastMs, terminals };
      all.add(row);
      all.addTerminals(row);
    }
    if (!more) break;
    afterId = next;
  }
  const people = { names, storeOf: fleet.storeOf };
  return answerOf(all, { ...query, store: undefined }, store, people);
}

export function openErrors(options: ErrorsOptions): Errors {
  const { fleet, clock, ageMsMax, limits } = options;
  const store = openErrorStore(fleet.database, clock.wallMs, limits);
  fleet.onNews((terminal, { kind, component, fields }) => {
    if (kind !== KIND) return;
    const told = readFields(fields);
    if (told === undefined) return;
    // Nothing was printed in the future, and what is too old would be deleted at once.
    const lastMs = Math.min(told.lastMs, clock.wallMs());
    if (lastMs < clock.wallMs() - ageMsMax) return;
    const place = { terminal, store: fleet.storeOf(terminal) };
    store.add({
      ...told,
      ...place,
      lastMs,
      component: component.slice(0, NAME_CHARS_MAX),
    });
  });
  function* ask(query: ErrorQuery): Generator<undefined, ErrorAnswer> {
    const { terminal } = query;
    if (terminal !== undefined) return askTerminal(options, store, terminal, query);
    const people = { names: store.terminalNames(), storeOf: fleet.storeOf };
    return yield* askHours(store, query, people);
  }
  let asking = 0;
  return {
    kinds: store.kinds,
    expire: store.expire,
    ask: (query) => {
      const steps = ask(query);
      for (;;) {
        const { done, value } = steps.next();
        if (done) return value;
      }
    },
    askInSteps: async (query) => {
      if (asking >= ASKING_MAX) return undefined;
      asking += 1;
      try {
        const steps = ask(query);
        for (;;) {
          const { done, value } = steps.next();
          if (done) return value;
          await setImmediate();
        }
      } finally {
        asking -= 1;
      }
    },
  };
}
