// Tells tills of a maintenance, as signed holds of what is left of it: at once to those that are there, and to each that comes
// back, enrols or reboots meanwhile, because a hold does not outlive a boot. What a till was told last is compared with
// what it should know (deedOf), each second, and never queued for one that is away: a hold that waits would be longer than
// what is left. So start and end in any order end in the right state, and a killed broker goes on.

import type { Clock } from '../clock.ts';
import { type Commands, OWN_OPERATOR } from '../commands/commands.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Log } from '../ports.ts';
import { type Cover, type Deed, deedOf, leftOf, type Now, resumed, type Told } from './model.ts';
import type { MaintenanceStore } from './store.ts';

/** Of one tick: each is a signed command and two entries of the audit log. */
export const TOLD_PER_TICK_MAX = 100;
/** What failed, and who comes back again and again, is told again after so long. */
export const RETELL_MS = 30_000;
/** For a till that is there; longer, and what is left is another time. */
const EXPIRY_MS = 15_000;
const REASON_CHARS_MAX = 200;

/** Older agents have no such argument, and say so; theirs is the only hold of the till. */
const UNKNOWN_ARGUMENT = /\barguments\.maintenance: Invalid key\b/;

type Holder = { readonly by: string; readonly untilMs: number };
export type TellingOptions = {
  readonly fleet: Pick<Fleet, 'database' | 'connected' | 'isConnected' | 'storeOf'>;
  readonly commands: Pick<Commands, 'createOwn' | 'onFinished'>;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly log: Log;
  readonly retellMs?: number | undefined;
  /** Who holds a till, as it says. */
  readonly holderOf?: (terminal: string) => Holder | undefined;
};

export type Telling = {
  /** Once a second, and when something began or ended. */
  readonly look: (cover: Cover) => void;
  /** Its session has begun: it may have been rebooted. */
  readonly back: (terminal: string) => void;
  /** It said that it holds because of this one. */
  readonly isHeld: (terminal: string) => boolean;
};

function load(store: MaintenanceStore, now: Now): Map<string, Told> {
  const told = store.told().map(({ terminal, maintenance, untilMs, releasing }) => {
    const { endMs } = resumed(
      {
        id: maintenance,
        scope: 'terminal',
        subject: terminal,
        by: '',
        reason: '',
        startedMs: 0,
        untilMs,
      },
      now,
    );
    const unknown = { toldMs: undefined, command: undefined, held: false };
    return [terminal, { maintenance, endMs, releasing, ...unknown }] as const;
  });
  return new Map(told);
}

/** What tills were told, in memory and on disk. */
function createTold({ fleet, clock }: TellingOptions, store: MaintenanceStore, now: Now) {
  const told = load(store, now);
  return {
    told,
    keep: (terminal: string, next: Told): void => {
      const { maintenance, endMs, releasing } = next;
      const untilMs = clock.wallMs() + endMs - clock.monotonicMs();
      store.tell({ terminal, maintenance, untilMs, releasing });
      fleet.database.afterCommit(() => told.set(terminal, next));
    },
    forget: (terminal: string): void => {
      store.forget(terminal);
      fleet.database.afterCommit(() => told.delete(terminal));
    },
  };
}

/** Tills that are held by a plain hold, until their session begins anew: they may have another version then. */
function createOlder({ clock, holderOf }: TellingOptions) {
  const older = new Set<string>();
  return {
    back: (terminal: string): void => void older.delete(terminal),
    named: (terminal: string, maintenance: string) => (older.has(terminal) ? {} : { maintenance }),
    /** @returns whether it has just turned out to be one. */
    hears: (terminal: string, state: string, reason: string): boolean => {
      if (state !== 'rejected' || older.has(terminal)) return false;
      const isOlder = UNKNOWN_ARGUMENT.test(reason);
      if (isOlder) older.add(terminal);
      return isOlder;
    },
    /** A plain hold would take the place of one that somebody has, and a plain release would end it. */
    isSomebodys: (terminal: string, deed: Deed): boolean => {
      const holder = older.has(terminal) ? holderOf?.(terminal) : undefined;
      if (holder === undefined || holder.by === OWN_OPERATOR) return false;
      return deed.kind !== 'hold' || holder.untilMs >= clock.wallMs() + deed.forMs;
    },
  };
}

export function createTelling(options: TellingOptions, store: MaintenanceStore): Telling {
  const { fleet, commands, clock, log, retellMs = RETELL_MS } = options;
  const now = (): Now => ({ wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() });
  const { told, keep, forget } = createTold(options, store, now());
  const older = createOlder(options);

  /** Within a transaction. */
  function act(terminal: string, deed: Deed, at: Now): void {
    if (deed.kind === 'none') return;
    if (deed.kind === 'forget') {
      forget(terminal);
      return;
    }
    const isHold = deed.kind === 'hold';
    const maintenance = isHold ? deed.maintenance.id : deed.maintenance;
    if (older.isSomebodys(terminal, deed)) {
      const same = { toldMs: at.monotonicMs, command: undefined, held: true, releasing: false };
      if (isHold) keep(terminal, { maintenance, endMs: deed.maintenance.endMs, ...same });
      else forget(terminal);
      return;
    }
    const named = older.named(terminal, maintenance);
    const args = isHold ? { forMs: deed.forMs, ...named } : named;
    const reason = isHold
      ? `maintenance by ${deed.maintenance.by}: ${deed.maintenance.reason}`
      : 'the maintenance is over';
    const short = reason.slice(0, REASON_CHARS_MAX);
    const made = commands.createOwn(deed.kind, terminal, args, short, EXPIRY_MS);
    const command = made.ok ? made.id : undefined;
    if (!made.ok) log.warn('a till is not told of its maintenance', { terminal, why: made.reason });
    const endMs = isHold
      ? at.monotonicMs + leftOf(deed.maintenance, at)
      : (told.get(terminal)?.endMs ?? at.monotonicMs);
    keep(terminal, {
      ...{ maintenance, endMs, toldMs: at.monotonicMs, command, held: false, releasing: !isHold },
      backMs: told.get(terminal)?.backMs,
    });
  }

  commands.onFinished(({ command, terminal, state, reason }) => {
    const known = told.get(terminal);
    if (known === undefined || known.command !== command) return;
    if (older.hears(terminal, state, reason)) {
      told.set(terminal, { ...known, toldMs: undefined, command: undefined, held: false });
      return;
    }
    const isDone = state === 'succeeded';
    if (isDone && known.releasing) {
      const done = fleet.database.transact(() => forget(terminal));
      if (done.ok) return;
    }
    told.set(terminal, { ...known, command: undefined, held: isDone && !known.releasing });
  });

  return {
    look: (cover) => {
      const at = now();
      const deeds: (readonly [string, Deed])[] = [];
      const consider = (terminal: string, place: string, isThere: boolean): void => {
        if (deeds.length >= TOLD_PER_TICK_MAX) return;
        const deed = deedOf(cover.of(terminal, place), told.get(terminal), at, retellMs);
        if (deed.kind === 'forget' || (isThere && deed.kind !== 'none'))
          deeds.push([terminal, deed]);
      };
      for (const { id, store: place } of fleet.connected()) consider(id, place, true);
      // What was told to those that are away ends by itself, there and here.
      for (const id of told.keys()) {
        if (!fleet.isConnected(id)) consider(id, fleet.storeOf(id), false);
      }
      if (deeds.length === 0) return;
      const done = fleet.database.transact(() => {
        for (const [terminal, deed] of deeds) act(terminal, deed, at);
      });
      if (!done.ok) log.error('tills are not told of a maintenance', { reason: done.reason });
    },
    back: (terminal) => {
      older.back(terminal);
      const known = told.get(terminal);
      if (known === undefined) return;
      const at = clock.monotonicMs();
      // At once the first time; who comes and goes all the time is told as often as who does not answer.
      const isRecent = known.backMs !== undefined && at - known.backMs < retellMs;
      const [toldMs, backMs] = isRecent ? [known.toldMs, known.backMs] : [undefined, at];
      told.set(terminal, { ...known, toldMs, backMs, command: undefined, held: false });
    },
    isHeld: (terminal) => told.get(terminal)?.held === true,
  };
}
