// Sends what is released to those that come and run something else; pursuit.ts decides, here it is done and remembered.
// Terminals are looked at a thousand at a time, because ten thousand that all come back at once are looked at for hours.

import type { Audit } from '../audit.ts';
import type { Bulks } from '../bulk/desk.ts';
import type { Notices } from '../bulk/notices.ts';
import { BULK_TARGETS_MAX } from '../bulk/select.ts';
import type { Clock, Timers } from '../clock.ts';
import type { Commands } from '../commands/commands.ts';
import { isFinal } from '../commands/queue.ts';
import { AUTOMATIC_OPERATOR } from '../commands/request.ts';
import { isServed, type StateOf } from '../commands/standing.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Log } from '../ports.ts';
import { rollingOf } from './model.ts';
import { choose, givenUpFor, heldFor, isUnderWay, pursuedMax, type Wanted } from './pursuit.ts';
import { packOf } from './read.ts';
import type { Meant } from './resolve.ts';
import type { Standing } from './standing.ts';
import type { ConfigurationStore, Sending } from './store.ts';

export const PURSUE_MS = 1_000;
const LOOKED_AT_MAX = 1_000;

export type PursueOptions = {
  readonly fleet: Pick<Fleet, 'database' | 'connected' | 'storeOf' | 'configurationOf'>;
  readonly commands: Pick<Commands, 'createOwn' | 'get' | 'onFinished'>;
  readonly bulks: Pick<Bulks, 'get' | 'targets'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly notices: Pick<Notices, 'add'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly stateOf: StateOf;
  /** Somebody is at it: it gets nothing by itself before that is over. */
  readonly isMaintained?: (terminal: string) => boolean;
  readonly log: Log;
  readonly failurePercent: number;
};
export type Pursuer = {
  readonly givenUp: (terminal: string, target: Meant) => string | undefined;
  readonly held: (target: Pick<Meant, 'name' | 'version' | 'sha256'>) => string | undefined;
  readonly start: (standing: (terminal: string) => Standing) => void;
  readonly stop: () => void;
};

/** Who is in the list of a bulk action that is not over: that one decides when it gets what. */
function createListed({ bulks }: PursueOptions, store: ConfigurationStore) {
  let lists = new Map<string, ReadonlySet<string>>();
  return (): ((terminal: string) => boolean) => {
    const next = new Map<string, ReadonlySet<string>>();
    for (const name of store.names()) {
      const bulk = rollingOf(store.versionsOf(name))?.bulk ?? '';
      if (bulk === '') continue;
      const page = () => bulks.targets(bulk, { after: 0, limit: BULK_TARGETS_MAX })?.targets ?? [];
      next.set(bulk, lists.get(bulk) ?? new Set(page().map(({ terminal }) => terminal)));
    }
    lists = next;
    const all = [...lists.values()];
    return (terminal) => all.some((list) => list.has(terminal));
  };
}

/** What was sent, kept on disk, and how it ended. */
function createSendings(options: PursueOptions, store: ConfigurationStore) {
  const { fleet, commands, clock, log } = options;
  const { database } = fleet;
  const sendings = new Map(store.sendings().map((one) => [one.terminal, one]));

  function keep(sending: Sending): void {
    const done = database.transact(() => store.saveSending(sending));
    if (done.ok) sendings.set(sending.terminal, sending);
  }

  function ended(sending: Sending, outcome: string, reason: string): void {
    keep({ ...sending, outcome, reason, atMs: clock.wallMs() });
  }

  commands.onFinished(({ command, terminal, state, reason }) => {
    const sending = sendings.get(terminal);
    if (sending?.command === command) ended(sending, state, reason);
  });

  /** Results that nobody heard, because the broker was not there. */
  function catchUp(): void {
    for (const sending of sendings.values()) {
      if (!isUnderWay(sending)) continue;
      const command = commands.get(sending.command);
      const state = command?.state ?? 'unknown';
      if (isFinal(state)) ended(sending, state, command?.history.at(-1)?.reason ?? 'not kept');
    }
  }

  function send({ terminal, target }: Wanted): void {
    const { name, version, sha256 } = target;
    const known = sendings.get(terminal);
    const isAgain = known?.name === name && known.version === version && known.sha256 === sha256;
    const readyMs = store.versionsOf(name).find((one) => one.version === version)?.readyMs;
    const packed = packOf(store.textOf(name, version));
    const args = { name, version, sha256, packed, ...(readyMs === undefined ? {} : { readyMs }) };
    const reason = `version ${version} of ${name} is what it should run`;
    const done = database.transact(() => {
      const made = commands.createOwn('apply', terminal, args, reason);
      const sending: Sending = {
        ...{ terminal, name, version, sha256, atMs: clock.wallMs() },
        tries: isAgain ? known.tries + 1 : 1,
        ...(made.ok
          ? { command: made.id, outcome: '', reason: '' }
          : { command: '', outcome: 'refused', reason: made.reason }),
      };
      store.saveSending(sending);
      return sending;
    });
    if (done.ok) sendings.set(terminal, done.value);
    else log.error('a configuration was not sent', { terminal, reason: done.reason });
  }

  return { all: sendings, catchUp, send };
}

export function createPursuer(options: PursueOptions, store: ConfigurationStore): Pursuer {
  const { fleet, clock, audit, notices, log, failurePercent } = options;
  const { all: sendings, catchUp, send } = createSendings(options, store);
  const listed = createListed(options, store);
  const told = new Set<string>();
  let next = 0;

  const held: Pursuer['held'] = (target) => heldFor(target, sendings.values(), failurePercent);

  /** Once for each version and run: somebody has to look. */
  function isHeld(target: Meant): boolean {
    const why = held(target);
    const key = `${target.name} ${target.version}`;
    if (why !== undefined && !told.has(key)) {
      told.add(key);
      const { name: subject, version, sha256 } = target;
      const entry = { operator: AUTOMATIC_OPERATOR, action: 'config.hold', subject, reason: why };
      const text = `version ${version} of ${subject} is not sent by itself any more: ${why}`;
      fleet.database.transact(() => {
        audit.write({ ...entry, outcome: 'held', detail: { version, sha256 } });
        notices.add({ operator: AUTOMATIC_OPERATOR, text, bulk: '' });
      });
      log.warn('a configuration is not sent by itself any more', { subject, version, why });
    }
    return why !== undefined;
  }

  /** Stores were changed so that two documents meet: somebody has to choose, and must know it. */
  function tellUnclear(terminal: string, why: string): void {
    if (told.has(why)) return;
    told.add(why);
    const entry = { operator: AUTOMATIC_OPERATOR, action: 'config.unclear', subject: terminal };
    fleet.database.transact(() => {
      audit.write({ ...entry, reason: why, outcome: 'held', detail: {} });
      const text = `which configuration ${terminal} gets is not clear: ${why}`;
      notices.add({ operator: AUTOMATIC_OPERATOR, text, bulk: '' });
    });
    log.warn('a terminal gets no configuration', { terminal, why });
  }

  function look(standing: (terminal: string) => Standing): void {
    if (store.names().length === 0) return;
    const connected = fleet.connected();
    const underWay = [...sendings.values()].filter(isUnderWay);
    const room = pursuedMax(connected.length) - underWay.length;
    if (room <= 0 || connected.length === 0) return;
    const isListed = listed();
    const heldNow = new Map<Meant, boolean>();
    const wanted: Wanted[] = [];
    const first = next >= connected.length ? 0 : next;
    next = first + LOOKED_AT_MAX;
    for (const { id: terminal, store: place } of connected.slice(first, next)) {
      const { target, state, refused } = standing(terminal);
      if (state === 'unclear' && refused !== undefined) tellUnclear(terminal, refused);
      if (target === undefined || state !== 'behind' || refused !== undefined) continue;
      // Its agent is older than configurations of the fleet, or has not said anything yet.
      if (fleet.configurationOf(terminal).running === undefined) continue;
      if (!isServed(options.stateOf(terminal)) || isListed(terminal)) continue;
      if (options.isMaintained?.(terminal) === true) continue;
      if (!heldNow.has(target)) heldNow.set(target, isHeld(target));
      if (heldNow.get(target) !== true) wanted.push({ terminal, store: place, target });
    }
    const busyStores = new Set(underWay.map(({ terminal }) => fleet.storeOf(terminal)));
    const facts = { nowMs: clock.wallMs(), room, busyStores };
    for (const one of choose(wanted, sendings, facts)) send(one);
  }

  let cancel: () => void = () => undefined;
  return {
    givenUp: (terminal, target) => givenUpFor(sendings.get(terminal), target),
    held,
    start: (standing) => {
      catchUp();
      cancel = options.timers.every(PURSUE_MS, () => look(standing));
    },
    stop: () => cancel(),
  };
}
