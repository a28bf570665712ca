// Tells tills of a maintenance, as signed holds of what is left of it: at once to those that are there, and to each that comes
// back, enrols or reboots meanwhile, because a hold does not outlive a boot. What a till was told last is compared with
// what it should know (deedOf), each second, and never queued for one that is away: a hold that waits would be longer than
// what is left. So start and end in any order end in the right state, and a killed broker goes on.

import type { Clock } from '../clock.ts';
import type { Commands } from '../commands/commands.ts';
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

export type TellingOptions = {
  readonly fleet: Pick<Fleet, 'database' | 'connected' | 'isConnected' | 'storeOf'>;
  readonly commands: Pick<Commands, 'createOwn' | 'onFinished'>;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly log: Log;
  readonly retellMs?: number | undefined;
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

export function createTelling(options: TellingOptions, store: MaintenanceStore): Telling {
  const { fleet, commands, clock, log, retellMs = RETELL_MS } = options;
  const now = (): Now => ({ wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() });
  const told = load(store, now());

  function keep(terminal: string, next: Told): void {
    const { maintenance, endMs, releasing } = next;
    const untilMs = clock.wallMs() + endMs - clock.monotonicMs();
    store.tell({ terminal, maintenance, untilMs, releasing });
    fleet.database.afterCommit(() => told.set(terminal, next));
  }

  function forget(terminal: string): void {
    store.forget(terminal);
    fleet.database.afterCommit(() => told.delete(terminal));
  }

  /** Within a transaction. */
  function act(terminal: string, deed: Deed, at: Now): void {
    if (deed.kind === 'none') return;
    if (deed.kind === 'forget') {
      forget(terminal);
      return;
    }
    const isHold = deed.kind === 'hold';
    const maintenance = isHold ? deed.maintenance.id : deed.maintenance;
    const args = isHold ? { forMs: deed.forMs, maintenance } : { maintenance };
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

  commands.onFinished(({ command, terminal, state }) => {
    const known = told.get(terminal);
    if (known === undefined || known.command !== command) return;
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
