// Carries bulk actions out: feeds machine.ts with what happens and does what it says, all of one step in one
// transaction with the commands that it makes. A broker that was killed finds the same models on disk and asks the
// queue what became of the commands meanwhile: so each terminal gets exactly one.

import { catalogue } from '../../protocol/catalogue.ts';
import type { Audit } from '../audit.ts';
import type { Clock, Timers } from '../clock.ts';
import { type Actor, type Commands, OWN_OPERATOR } from '../commands/commands.ts';
import { isFinal } from '../commands/queue.ts';
import { EXPIRY_MS_MIN, lostRight, type RoleOf } from '../commands/request.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { hasUnderWay, type LookOptions, lookAround } from './look.ts';
import { type BulkEffect, type BulkEvent, step } from './machine.ts';
import { type BulkModel, isInFlight, isOver, isWide, storesOf } from './model.ts';
import type { Notices } from './notices.ts';
import type { BulkStore } from './store.ts';

const TICK_MS = 1_000;

export type CarryOptions = LookOptions & {
  readonly fleet: LookOptions['fleet'] & Pick<Fleet, 'database'>;
  readonly commands: Pick<Commands, 'create' | 'cancel' | 'get' | 'onFinished'>;
  /** Nobody is asked about where it is absent. */
  readonly roleOf?: RoleOf | undefined;
  readonly audit: Pick<Audit, 'write'>;
  readonly notices: Pick<Notices, 'add'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly metrics: Pick<Metrics, 'bulkTargets' | 'dropped'>;
  readonly log: Log;
};

export type Carry = {
  /** All that can still change. */
  readonly open: () => readonly BulkModel[];
  /** From memory while it can still change, else from disk. */
  readonly get: (id: string) => BulkModel | undefined;
  /** @param also within the same transaction. @returns false when the disk did not take it. */
  readonly add: (model: BulkModel, also: () => void) => boolean;
  /** @returns false when the disk did not take it. */
  readonly act: (id: string, event: BulkEvent) => boolean;
  /** Called within the transaction of each step that changed one. */
  readonly onStep: (listener: StepListener) => void;
  readonly stop: () => void;
};
export type StepListener = (model: BulkModel, before: BulkModel | undefined) => void;

const ITSELF: Actor = { name: OWN_OPERATOR, role: 'admin' };
const AT_ONCE: readonly string[] = ['start', 'stop', 'abort', 'finish'];
type Recorded = Extract<BulkEffect, { kind: 'record' }>;

const what = ({ content }: BulkModel): string => {
  if (content.kind === 'apply') {
    return `configuration ${content.arguments.name}, version ${content.arguments.version},`;
  }
  const component: unknown = Reflect.get(content.arguments, 'component');
  const verb = content.kind.replaceAll('_', '-');
  return typeof component === 'string' ? `${verb} of ${component}` : verb;
};

function noticeText(model: BulkModel, { step: name, by, reason }: Recorded): string {
  const scope = `${what(model)} on ${model.targets.length} terminals of ${storesOf(model)} stores`;
  switch (name) {
    case 'start':
      return `${by} started ${scope}: ${reason}`;
    case 'stop':
      return `${scope} stopped by itself: ${reason}`;
    case 'abort':
      return `${by} aborted ${scope}: ${reason}`;
    default:
      return `${scope} is over: ${reason}`;
  }
}

/** Does what a step says; what comes of it goes back into the machine. */
function createDoer(options: CarryOptions) {
  const { commands, audit, notices, clock, metrics, fleet } = options;

  function issue(model: BulkModel, terminal: string): BulkEvent {
    const { content, startedBy = ITSELF, reason, expiresMs, id: bulk } = model;
    const leftMs = (expiresMs ?? 0) - clock.wallMs();
    const made = commands.create({
      ...{ terminal, kind: content.kind, arguments: content.arguments, reason, bulk },
      actor: startedBy,
      expiresMs: Math.max(EXPIRY_MS_MIN, Math.min(catalogue[content.kind].expiryMs, leftMs)),
    });
    return made.ok
      ? { kind: 'issued', terminal, command: made.id }
      : { kind: 'refused', terminal, reason: made.reason };
  }

  function write(model: BulkModel, effect: Recorded): void {
    const { by: operator, reason, step: name } = effect;
    const { id: bulk, content, targets, state, wave } = model;
    const stores = storesOf(model);
    const detail = { kind: content.kind, count: targets.length, stores, wave: wave.number };
    const entry = { operator, action: `bulk.${name}`, subject: bulk, reason, outcome: state };
    audit.write({ ...entry, detail });
    const isTold = AT_ONCE.includes(name) && (isWide(model) || name === 'stop');
    if (isTold) notices.add({ operator, text: noticeText(model, effect), bulk });
  }

  function count(before: BulkModel, after: BulkModel): void {
    after.targets.forEach(({ state }, place) => {
      if (state === before.targets[place]?.state || state === 'waiting') return;
      fleet.database.afterCommit(() => metrics.bulkTargets(state));
    });
  }

  /** Within a transaction. */
  return (before: BulkModel, first: BulkEvent): BulkModel => {
    let model = before;
    const due: BulkEvent[] = [first];
    for (let event = due.shift(); event !== undefined; event = due.shift()) {
      const next = step(model, event, clock.wallMs());
      model = next.model;
      for (const effect of next.effects) {
        if (effect.kind === 'issue') due.push(issue(model, effect.terminal));
        else if (effect.kind === 'record') write(model, effect);
        else {
          const { why } = model;
          // What a terminal has taken already goes on: best effort.
          commands.cancel(effect.command, ITSELF, why.slice(0, 200));
        }
      }
    }
    count(before, model);
    return model;
  };
}

/** It goes on in somebody's name, for days: as long as they may. @returns why they may not. */
function mayNot(model: BulkModel, roleOf: CarryOptions['roleOf']): string | undefined {
  const { state, content, startedBy } = model;
  if (state !== 'running' || startedBy === undefined || roleOf === undefined) return undefined;
  // What a recurring window does, the broker does itself: whoever added the window is in the audit log.
  if (startedBy.name === OWN_OPERATOR) return undefined;
  const needed = isWide(model) ? 'admin' : catalogue[content.kind].role;
  const why = lostRight(startedBy.name, needed, roleOf);
  return why && `${why}; who resumes it answers for it`;
}

export function openCarry(options: CarryOptions, store: BulkStore): Carry {
  const { fleet, commands, clock, log } = options;
  const { database } = fleet;
  const models = new Map<string, BulkModel>(store.open().map((model) => [model.id, model]));
  const perform = createDoer(options);
  const listeners: StepListener[] = [];

  function keep(id: string, model: BulkModel | undefined): void {
    if (model === undefined || isOver(model)) models.delete(id);
    else models.set(id, model);
  }

  /** A till that was on its way may still say that it did it, when all is over. */
  const overOf = (id: string): BulkModel | undefined => {
    const model = store.get(id);
    return model !== undefined && isOver(model) ? model : undefined;
  };

  function act(id: string, event: BulkEvent): boolean {
    const before = models.get(id) ?? (event.kind === 'result' ? overOf(id) : undefined);
    if (before === undefined) return true;
    const idle = step(before, event, clock.wallMs());
    if (idle.model === before && idle.effects.length === 0) return true;
    const done = database.transact(() => {
      const model = perform(before, event);
      store.save(model, before);
      for (const listener of listeners) listener(model, before);
      // Before the commit: what is done after it asks for the model already.
      keep(id, model);
    });
    if (done.ok) return true;
    keep(id, before);
    log.error('a bulk action stands still', { bulk: id, reason: done.reason });
    return false;
  }

  /** A result that was not heard, because the broker was not there or its disk failed. */
  function catchUp({ id, targets }: BulkModel): void {
    for (const target of targets) {
      if (!isInFlight(target)) continue;
      const view = commands.get(target.command);
      const reason = view?.history.at(-1)?.reason ?? 'its command is not kept any more';
      const state = view?.state ?? 'unknown';
      if (!isFinal(state)) continue;
      if (!act(id, { kind: 'result', command: target.command, state, reason })) behind.add(id);
    }
  }

  function tick(id: string): void {
    const running = models.get(id);
    const reason = running && mayNot(running, options.roleOf);
    if (reason !== undefined) act(id, { kind: 'halt', reason });
    const model = models.get(id);
    if (model !== undefined) act(id, lookAround(model, [...models.values()], options));
  }

  let behind = new Set(models.keys());
  commands.onFinished(({ bulk, command, state, reason }) => {
    if (bulk === undefined) return;
    if (!act(bulk, { kind: 'result', command, state, reason })) behind.add(bulk);
    else if (!hasUnderWay(models.get(bulk))) tick(bulk);
  });
  const cancel = options.timers.every(TICK_MS, () => {
    const late = behind;
    behind = new Set();
    for (const id of late) {
      const model = models.get(id);
      if (model !== undefined) catchUp(model);
    }
    for (const id of [...models.keys()]) tick(id);
  });

  return {
    open: () => [...models.values()],
    get: (id) => models.get(id) ?? store.get(id),
    add: (model, also) => {
      const done = database.transact(() => {
        also();
        const gone = store.trim();
        if (gone > 0) database.afterCommit(() => options.metrics.dropped('bulks', gone));
        store.save(model, undefined);
        keep(model.id, model);
      });
      if (!done.ok) models.delete(model.id);
      return done.ok;
    },
    act: (id, event) => {
      const done = act(id, event);
      if (done) tick(id);
      return done;
    },
    onStep: (listener) => {
      listeners.push(listener);
    },
    stop: cancel,
  };
}
