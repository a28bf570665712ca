// Sessions: 256 random bits that signing in gives. Only their SHA-256 is kept, which is enough for what cannot be guessed.
// One ends 12 hours after it began, after 2 hours without use, by signing out, and with its operator's being
// disabled or given a new token; whoever follows it (a live stream) is told at once. They outlive a restart of
// the broker. When it was used is written down seldom: a read must not cost a flush of the disk. Within one run both
// clocks are asked and the stricter one holds: a wall clock that is set back makes no session longer.

import { createHash } from 'node:crypto';
import { formatSession, isSession } from '../../protocol/operators.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';
import type { Database } from '../fleet/database.ts';
import { newSessionId } from './accounts.ts';
import { newSecret } from './secrets.ts';
import type { OperatorStore, SessionRow } from './store.ts';

const MINUTE_MS = 60_000;
export const SESSION_MS_MAX = 12 * 60 * MINUTE_MS;
export const IDLE_MS_MAX = 2 * 60 * MINUTE_MS;
/** Of one operator; the oldest ends when there is one more. */
export const SESSIONS_EACH_MAX = 16;
/** A session that a killed broker forgot to have been used lately ends so much earlier. */
const WRITE_USE_MS = 10 * MINUTE_MS;
const SWEEP_MS = 15_000;

export type Session = { readonly token: string; readonly id: string; readonly endsMs: number };

export type SessionOptions = {
  readonly database: Pick<Database, 'transact' | 'afterCommit'>;
  readonly store: OperatorStore;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly timers: Pick<Timers, 'every'>;
};

export type Sessions = ReturnType<typeof openSessions>;

type Held = SessionRow & {
  readonly ended: Set<() => void>;
  /** Monotonic, of this run; of an older session what the wall clock said when the run began. */
  readonly bornAtMs: number;
  readonly usedAtMs: number;
};
type Now = { readonly wallMs: number; readonly monotonicMs: number };

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Not before it began either: a clock that was set back must not make a session longer. */
const isOver = (session: Held, { wallMs, monotonicMs }: Now): boolean =>
  wallMs - session.createdMs >= SESSION_MS_MAX ||
  wallMs - session.usedMs >= IDLE_MS_MAX ||
  wallMs < session.createdMs - MINUTE_MS ||
  monotonicMs - session.bornAtMs >= SESSION_MS_MAX ||
  monotonicMs - session.usedAtMs >= IDLE_MS_MAX;

const hold = (row: SessionRow, { wallMs, monotonicMs }: Now): Held => ({
  ...{ ...row, ended: new Set() },
  bornAtMs: monotonicMs - Math.max(0, wallMs - row.createdMs),
  usedAtMs: monotonicMs - Math.max(0, wallMs - row.usedMs),
});

/** Ended, and perhaps still on a disk that refuses writes: tried again until it is gone from there too. */
function createDrops({ database, store }: Pick<SessionOptions, 'database' | 'store'>) {
  const undropped = new Set<string>();
  function drop(hash: string): void {
    database.transact(() => {
      store.dropSession(hash);
      database.afterCommit(() => undropped.delete(hash));
    });
  }
  return {
    add: (hash: string): void => {
      undropped.add(hash);
      drop(hash);
    },
    retry: (): void => {
      for (const hash of undropped) drop(hash);
    },
  };
}

export function openSessions({ database, store, clock, timers }: SessionOptions) {
  const now = (): Now => ({ wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() });
  const opened = now();
  const held = new Map(store.sessions().map((row) => [row.hash, hold(row, opened)]));

  const drops = createDrops({ database, store });
  const byId = (id: string) => [...held.values()].find((one) => one.id === id);
  /** From memory first, whatever the disk says: what ended must not be used again. */
  function end(session: Held): void {
    held.delete(session.hash);
    drops.add(session.hash);
    for (const tell of session.ended) tell();
  }

  function ofOperator(name: string): readonly Held[] {
    return [...held.values()].filter(({ operator }) => operator === name);
  }

  /** @returns a session that may be used now, and marks it as used. */
  function use(hash: string): Held | undefined {
    const session = held.get(hash);
    if (session === undefined) return undefined;
    if (isOver(session, now())) {
      end(session);
      return undefined;
    }
    return session;
  }

  const written = new Map<string, number>();
  function touch(session: Held): void {
    const { wallMs, monotonicMs } = now();
    const used = { ...session, usedMs: wallMs, usedAtMs: monotonicMs };
    held.set(session.hash, used);
    if (monotonicMs - (written.get(session.hash) ?? session.bornAtMs) < WRITE_USE_MS) return;
    written.set(session.hash, monotonicMs);
    database.transact(() => {
      if (held.has(session.hash)) store.putSession(used);
    });
  }

  const sweep = (): void => {
    const at = now();
    drops.retry();
    for (const session of held.values()) {
      if (isOver(session, at)) end(session);
      // Somebody watches a live stream.
      else if (session.ended.size > 0) touch(session);
    }
    for (const hash of written.keys()) if (!held.has(hash)) written.delete(hash);
  };
  sweep();
  const cancel = timers.every(SWEEP_MS, sweep);

  return {
    count: (): number => held.size,
    /** @param row of this token; undefined when nobody has it (any more). */
    find: (token: string): Pick<SessionRow, 'id' | 'operator' | 'createdMs'> | undefined => {
      const session = isSession(token) ? use(hashOf(token)) : undefined;
      if (session !== undefined) touch(session);
      return session;
    },
    /** Within a transaction it shares that one's fate. */
    begin: (operator: string, address: string): Session => {
      const own = ofOperator(operator);
      for (const old of own.slice(0, Math.max(0, own.length - SESSIONS_EACH_MAX + 1))) end(old);
      const token = formatSession(newSecret());
      const at = now();
      const times = { createdMs: at.wallMs, usedMs: at.wallMs };
      const row = { hash: hashOf(token), id: newSessionId(), operator, address, ...times };
      store.putSession(row);
      database.afterCommit(() => held.set(row.hash, hold(row, at)));
      return { token, id: row.id, endsMs: at.wallMs + SESSION_MS_MAX };
    },
    endOne: (id: string): void => {
      const session = byId(id);
      if (session !== undefined) end(session);
    },
    endAll: (operator: string): void => {
      for (const session of ofOperator(operator)) end(session);
    },
    /** Tells once when it ends; at once when it has. @returns undo */
    onEnd: (id: string, tell: () => void): Cancel => {
      const session = byId(id);
      if (session === undefined) {
        tell();
        return () => {};
      }
      session.ended.add(tell);
      return () => void session.ended.delete(tell);
    },
    /** When it ends by itself at the latest. */
    endsMs: (id: string): number | undefined => {
      const session = byId(id);
      return session && session.createdMs + SESSION_MS_MAX;
    },
    close: cancel,
  };
}
