// The last lines of an incident, asked for by the broker itself, so that they are there when a person looks: once per
// incident, within a budget per terminal and day. The request is made a moment after the incident began,
// because what its component printed while it was put right belongs to it.

import { DRILL_COMPONENT } from '../../protocol/drill.ts';
import type { TerminalEvent } from '../../protocol/events.ts';
import { isId } from '../../protocol/ids.ts';
import type { Clock, Timers } from '../clock.ts';
import { type Actor, AUTOMATIC_OPERATOR } from '../commands/request.ts';
import type { AutomaticSettings } from '../config-logs.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { type Due, openAutomaticStore } from './automatic-store.ts';
import type { Logs } from './logs.ts';

/** Of the component, around the beginning of its incident. */
export const BEFORE_MS = 60_000;
export const AFTER_MS = 15_000;
/** What was printed by then has to get into the journal first. */
const SETTLE_MS = 2_000;
/** Of one answer: the newest that fit. */
export const INCIDENT_BYTES = 64 * 1024;
const TICK_MS = 1_000;
const PER_TICK_MAX = 20;
const DAY_MS = 86_400_000;
const WORD_CHARS_MAX = 64;

export type AutomaticResult = 'asked' | 'over_budget' | 'refused';

export type AutomaticOptions = {
  readonly settings: AutomaticSettings;
  readonly fleet: Pick<Fleet, 'database' | 'onNews'>;
  readonly logs: Pick<Logs, 'createForIncident' | 'get'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly metrics: Pick<Metrics, 'logAutomatic'>;
  readonly log: Log;
};

export type Automatic = {
  /** The request for the last lines of an incident, if one was made. */
  readonly requestOf: (terminal: string, incident: string) => string | undefined;
  readonly stop: () => void;
};

const ITSELF: Actor = { name: AUTOMATIC_OPERATOR, role: 'oncall' };

/** As the registry keeps it (fleet/registry.ts); what is shown in one line is not kept otherwise. */
const wordOf = (value: unknown): string | undefined => {
  const word = typeof value === 'string' ? value.slice(0, WORD_CHARS_MAX) : '';
  return word === '' || /\p{Cc}/u.test(word) ? undefined : word;
};

export function dueOf(terminal: string, event: TerminalEvent, nowMs: number): Due | undefined {
  const { kind, component, fields } = event;
  if (kind !== 'incident_opened' || !isId(component) || component === DRILL_COMPONENT) return;
  const incident = wordOf(fields['incident']);
  const cause = wordOf(fields['cause']);
  if (incident === undefined || cause === undefined) return;
  const openedMs = Math.max(0, Math.round(event.timeMs));
  // Whatever its clock says: it is over at once, or in a moment.
  const waitMs = Math.min(AFTER_MS, Math.max(0, openedMs + AFTER_MS - nowMs));
  return { terminal, incident, component, cause, openedMs, dueMs: nowMs + waitMs + SETTLE_MS };
}

export function openAutomatic(options: AutomaticOptions): Automatic {
  const { settings, fleet, logs, clock, timers, metrics, log } = options;
  const { perDay, bytesMax } = settings;
  const { database } = fleet;
  const store = openAutomaticStore(database);
  const isOff = perDay === 0 || bytesMax === 0;

  fleet.onNews((terminal, event) => {
    const due = isOff ? undefined : dueOf(terminal, event, clock.wallMs());
    if (due === undefined) return;
    // More of them would find the budget spent, and make every other terminal wait for its turn.
    if (store.waiting(terminal) < perDay) store.add(due);
    else database.afterCommit(() => metrics.logAutomatic('over_budget'));
  });

  /** What is left of the day's bytes; what may still come counts as much as it may. */
  function roomFor(terminal: string, nowMs: number): number {
    const asked = store.askedSince(terminal, nowMs - DAY_MS);
    if (asked.length >= perDay) return 0;
    const used = asked.reduce((sum, id) => {
      const view = logs.get(id);
      const isOver = view !== undefined && view.state !== 'waiting' && view.state !== 'running';
      return sum + (isOver ? view.bytes : (view?.bytesMax ?? INCIDENT_BYTES));
    }, 0);
    return Math.max(0, bytesMax - used);
  }

  function ask(due: Due, nowMs: number): void {
    const { terminal, incident, component, cause, openedMs } = due;
    const room = Math.min(INCIDENT_BYTES, roomFor(terminal, nowMs));
    const decided = (result: AutomaticResult, request?: string): void => {
      store.decide(due, result, nowMs, request);
      database.afterCommit(() => metrics.logAutomatic(result));
    };
    if (room === 0) {
      decided('over_budget');
      return;
    }
    const made = logs.createForIncident({
      ...{ terminal, incident, actor: ITSELF, reason: `incident ${incident}: ${cause}` },
      ...{ components: [component], bytesMax: room },
      ...{ sinceMs: Math.max(0, openedMs - BEFORE_MS), untilMs: openedMs + AFTER_MS },
    });
    if (made.ok) decided('asked', made.view.id);
    else {
      decided('refused');
      const { reason } = made;
      log.warn('the lines of an incident are not asked for', { terminal, incident, reason });
    }
  }

  const cancel = timers.every(TICK_MS, () => {
    if (isOff) return;
    const nowMs = clock.wallMs();
    for (const due of store.due(nowMs, PER_TICK_MAX)) {
      const done = database.transact(() => ask(due, nowMs));
      if (!done.ok) log.error('an incident waits for its lines', { reason: done.reason });
    }
  });

  return {
    requestOf: (terminal, incident) => store.requestOf(terminal, incident.slice(0, WORD_CHARS_MAX)),
    stop: cancel,
  };
}
