// How many requests for logs are kept, and what goes when there is no room. What the broker asks for by itself has a shelf of
// its own: a bad day must not push out what somebody asked for. Requests that wait are bounded per terminal, per store
// that is away and for all who are away, because nothing may be thrown away that somebody still waits for: without
// these, one absent store would keep the whole fleet from being asked.

import type { LogFiles } from './files.ts';
import type { LogsOptions } from './logs.ts';
import { type LogKind, type LogRecord, REQUESTS_KEPT_MAX } from './model.ts';
import type { LogStore } from './store.ts';
import { isUnderWay, type LogView } from './view.ts';

/** That one terminal has not answered. */
export const OPEN_PER_TERMINAL_MAX = 20;
/** Of what is kept: for terminals of one store that are away, and for all of them. */
const AWAY_OF_STORE = 1 / 4;
const AWAY_OF_ALL = 3 / 4;
const INCIDENT_MS_MIN = 86_400_000;

export type ShelfOptions = Pick<LogsOptions, 'clock' | 'metrics' | 'keptMax'> & {
  readonly fleet: Pick<LogsOptions['fleet'], 'database' | 'isConnected' | 'storeOf'>;
};
type Parts = {
  readonly store: LogStore;
  readonly files: Pick<LogFiles, 'remove'>;
  readonly view: (record: LogRecord) => LogView;
  /** Of an answer whose lines are deleted. */
  readonly tell: (id: string) => void;
};

export type Shelf = {
  /** Makes room for one more, within a transaction. @returns why there is none. */
  readonly roomFor: (what: LogKind, terminal: string) => string | undefined;
  /** Logs.expire */
  readonly expire: (beforeMs: number, bytesMax: number) => number;
};

const isIncident = (what?: LogKind): boolean => what === 'incident';

export function openShelf(options: ShelfOptions, { store, files, view, tell }: Parts): Shelf {
  const { fleet, clock, metrics, keptMax = REQUESTS_KEPT_MAX } = options;
  const ofStoreMax = Math.max(OPEN_PER_TERMINAL_MAX, Math.floor(keptMax * AWAY_OF_STORE));
  const ofAllMax = Math.max(OPEN_PER_TERMINAL_MAX, Math.floor(keptMax * AWAY_OF_ALL));

  /** @returns why this one would be one too many that waits. */
  function crowded(open: readonly LogRecord[], terminal: string): string | undefined {
    const own = open.filter((record) => record.terminal === terminal).length;
    if (own >= OPEN_PER_TERMINAL_MAX) {
      const what = `${own} requests for logs yet: wait, or cancel some of them`;
      return `${terminal} has not answered ${what}`;
    }
    if (fleet.isConnected(terminal)) return undefined;
    const away = open.filter((record) => !fleet.isConnected(record.terminal));
    const place = fleet.storeOf(terminal);
    const beside = away.filter((record) => fleet.storeOf(record.terminal) === place).length;
    if (beside >= ofStoreMax) {
      const whose = `terminals of the store ${place} that are away`;
      return `${beside} requests for logs wait for ${whose}: wait, or cancel some of them`;
    }
    if (away.length < ofAllMax) return undefined;
    const whose = 'terminals that are away: wait, or cancel some';
    return `${away.length} requests for logs wait for ${whose}`;
  }

  function forget(id: string): void {
    fleet.database.afterCommit(() => {
      files.remove(id);
      tell(id);
    });
  }

  function roomFor(what: LogKind, terminal: string): string | undefined {
    const own = isIncident(what);
    const all = store.oldestFirst().filter((record) => isIncident(record.what) === own);
    if (!own) {
      const open = all.filter((record) => record.state === 'open' && isUnderWay(view(record)));
      const why = crowded(open, terminal);
      if (why !== undefined) return why;
    }
    const surplus = all.length + 1 - keptMax;
    const beforeMs = own ? clock.wallMs() - INCIDENT_MS_MIN : Number.POSITIVE_INFINITY;
    const gone: LogRecord[] = [];
    // No further than needed: each look asks for its command.
    for (const record of all) {
      if (gone.length >= surplus) break;
      if (record.changedMs < beforeMs && !isUnderWay(view(record))) gone.push(record);
    }
    for (const { id } of gone) {
      store.remove(id);
      forget(id);
    }
    if (gone.length > 0) metrics.dropped('log_requests', gone.length);
    if (gone.length >= surplus) return undefined;
    return own
      ? `lines of ${keptMax} incidents are kept, none of which is older than a day`
      : `${keptMax} requests for logs have not been answered yet`;
  }

  function expire(beforeMs: number, bytesMax: number): number {
    const kept = store.oldestFirst().filter(({ goneMs }) => goneMs === undefined);
    const bytes = kept.reduce((sum, record) => sum + record.bytes, 0);
    const gone = kept.find(
      (record) =>
        record.bytes > 0 &&
        (bytes > bytesMax || record.changedMs < beforeMs) &&
        !isUnderWay(view(record)),
    );
    if (gone === undefined) return 0;
    store.save({ ...gone, goneMs: clock.wallMs() });
    forget(gone.id);
    return 1;
  }

  return { roomFor, expire };
}
