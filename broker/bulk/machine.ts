// What happens to a bulk action, pure: step(model, event, now) -> model and effects, total over its inputs. Waves begin
// small and at most double; the next one waits for every result of the one before, a result that does not come in
// time is a failure, and failures past a threshold stop the whole until a person has looked. No terminal gets a
// second command, whatever comes twice or late.

import type { BulkEffect, BulkEvent, BulkStep, BulkStepName } from './events.ts';
import {
  type BulkModel,
  countsOf,
  fleetMax,
  inFlightOf,
  isInFlight,
  storeMax,
  type Target,
  targetStateOf,
} from './model.ts';

export type { BulkEffect, BulkEvent, BulkStep, BulkStepName } from './events.ts';

/** A plan that nobody starts: the fleet is another one by then. */
export const PLAN_MS_MAX = 3_600_000;
/** Whom a step is written down as that nobody asked for. */
const ITSELF = 'broker';

const unchanged = (model: BulkModel): BulkStep => ({ model, effects: [] });
const record = (step: BulkStepName, by: string, reason: string): BulkEffect => ({
  ...{ kind: 'record', step, by, reason },
});

function changeTargets(
  model: BulkModel,
  fits: (target: Target) => boolean,
  change: (target: Target) => Partial<Target>,
): BulkModel {
  let changed = false;
  const targets = model.targets.map((target) => {
    if (!fits(target)) return target;
    changed = true;
    return { ...target, ...change(target) };
  });
  return changed ? { ...model, targets } : model;
}

/** Those that were not begun are not begun any more. */
const skipWaiting = (model: BulkModel, reason: string): BulkModel =>
  changeTargets(
    model,
    ({ state }) => state === 'waiting',
    () => ({ state: 'skipped', reason }),
  );

/** What of it has ended, and how much of that badly, since somebody looked last. */
function judge(model: BulkModel): { failed: number; ended: number } {
  const counts = countsOf(model);
  const failed = counts.failed + counts.overdue;
  return {
    failed: Math.max(0, failed - model.forgiven.failed),
    ended: Math.max(0, failed + counts.succeeded - model.forgiven.ended),
  };
}

/** A configuration that nobody of a whole wave could run is not tried on the next, however small the wave was. */
const isHopeless = ({ content, targets }: BulkModel, failed: number, ended: number): boolean =>
  content.kind === 'apply' &&
  failed > 0 &&
  failed === ended &&
  !targets.some(({ state }) => state === 'issuing' || state === 'sent');

/** Stops a running one that fails too often. */
function guard(step: BulkStep): BulkStep {
  const { model, effects } = step;
  if (model.state !== 'running') return step;
  const { failed, ended } = judge(model);
  const { failurePercent, failuresMin } = model.limits;
  const isOften = failed >= failuresMin && failed * 100 > failurePercent * ended;
  if (!isOften && !isHopeless(model, failed, ended)) return step;
  const why = isOften
    ? `${failed} of ${ended} failed, which is more than ${failurePercent} %`
    : `${failed} of ${ended} failed, and none succeeded`;
  return {
    model: { ...model, state: 'paused', why },
    effects: [...effects, record('stop', ITSELF, why)],
  };
}

/** Ends what has nothing left to do. */
function settle(step: BulkStep, now: number): BulkStep {
  const { model, effects } = step;
  if (model.state !== 'running' && model.state !== 'paused') return step;
  if (model.targets.some((target) => target.state === 'waiting' || isInFlight(target))) return step;
  const { succeeded, failed, skipped } = countsOf(model);
  const why = `${succeeded} succeeded, ${failed} failed, ${skipped} left out`;
  return {
    model: { ...model, state: 'done', why, endedMs: now },
    effects: [...effects, record('finish', ITSELF, why)],
  };
}

type Tick = Extract<BulkEvent, { kind: 'tick' }>;

/** As many still sell in each store as are at it, and where one alone sells that one may go. */
function chooseWave(model: BulkModel, { there, others, selling, moved }: Tick): readonly Target[] {
  const busy = inFlightOf(model, moved);
  const used = [...busy.values(), ...others.values()].reduce((sum, count) => sum + count, 0);
  const roomOf = (store: string): number => {
    const held = (busy.get(store) ?? 0) + (others.get(store) ?? 0);
    return storeMax((selling.get(store) ?? 0) + held) - held;
  };
  const rooms = new Map<string, number>();
  const { number, size } = model.wave;
  const nominal = number === 0 ? model.limits.firstWave : Math.max(1, size * 2);
  const most = Math.min(nominal, fleetMax(model) - used);
  const wave: Target[] = [];
  for (const target of model.targets) {
    if (wave.length >= most) break;
    const { terminal, state } = target;
    if (state !== 'waiting' || !there.has(terminal)) continue;
    const store = moved.get(terminal) ?? target.store;
    const room = rooms.get(store) ?? roomOf(store);
    rooms.set(store, room - 1);
    if (room > 0) wave.push(target);
  }
  return wave;
}

function nextWave(model: BulkModel, event: Tick): BulkStep {
  // An overdue one has had its time; the others of the wave are waited for.
  const isUnderWay = ({ state }: Target): boolean => state === 'issuing' || state === 'sent';
  if (model.state !== 'running' || model.targets.some(isUnderWay)) return unchanged(model);
  const wave = chooseWave(model, event);
  if (wave.length === 0) return unchanged(model);
  const chosen = new Set(wave);
  const number = model.wave.number + 1;
  const issuing = changeTargets(
    model,
    (target) => chosen.has(target),
    () => ({ state: 'issuing' }),
  );
  return {
    model: { ...issuing, wave: { number, size: wave.length } },
    effects: [
      record('wave', ITSELF, `wave ${number}, of ${wave.length}`),
      ...wave.map(({ terminal }): BulkEffect => ({ kind: 'issue', terminal })),
    ],
  };
}

/** Who never comes back is waited for no longer; a late word of it still corrects that. */
const settleGone = (model: BulkModel, gone: Tick['gone']): BulkModel =>
  gone.size === 0
    ? model
    : changeTargets(
        model,
        (target) => (target.state === 'waiting' || isInFlight(target)) && gone.has(target.terminal),
        ({ terminal }) => ({ state: 'skipped', reason: gone.get(terminal) ?? '' }),
      );

function tick(before: BulkModel, event: Tick, now: number): BulkStep {
  const model = before.state === 'planned' ? before : settleGone(before, event.gone);
  if (model.state === 'planned') {
    if (now < model.createdMs + PLAN_MS_MAX) return unchanged(model);
    const why = 'nobody started it';
    return { model: { ...model, state: 'expired', why, endedMs: now }, effects: [] };
  }
  const late = changeTargets(
    model,
    ({ state, sentMs }) => state === 'sent' && now > sentMs + model.resultMs,
    () => ({ state: 'overdue', reason: 'no result in time' }),
  );
  const isRunning = late.state === 'running' || late.state === 'paused';
  const isPast = isRunning && late.expiresMs !== undefined && now >= late.expiresMs;
  const rest = isPast ? skipWaiting(late, 'it was not reached before the bulk expired') : late;
  const guarded = guard(unchanged(rest));
  const next = nextWave(guarded.model, event);
  return settle({ model: next.model, effects: [...guarded.effects, ...next.effects] }, now);
}

function takeResult(
  model: BulkModel,
  { command, state, reason }: Extract<BulkEvent, { kind: 'result' }>,
  now: number,
): BulkStep {
  const became = targetStateOf(state);
  if (became === undefined || command === '') return unchanged(model);
  const next = changeTargets(
    model,
    // A late word of the terminal corrects what was only assumed.
    (target) => target.command === command && target.state !== became,
    () => ({ state: became, reason }),
  );
  return next === model ? unchanged(model) : settle(guard(unchanged(next)), now);
}

function takeRefusal(
  model: BulkModel,
  { terminal, reason }: Extract<BulkEvent, { kind: 'refused' }>,
  now: number,
): BulkStep {
  const next = changeTargets(
    model,
    (target) => target.terminal === terminal && target.state === 'issuing',
    () => ({ state: 'failed', reason }),
  );
  return settle(guard(unchanged(next)), now);
}

function start(
  model: BulkModel,
  { by, reason, joined = false }: Extract<BulkEvent, { kind: 'start' }>,
  now: number,
): BulkStep {
  if (model.state !== 'planned') return unchanged(model);
  const expiresMs = now + model.lastsMs;
  const started = { startedBy: by, startedMs: now, expiresMs, reason };
  const running = { ...model, state: 'running' as const, ...started, ...(joined && { joined }) };
  return { model: running, effects: [record('start', by.name, reason)] };
}

function resume(
  model: BulkModel,
  { by, reason, as = model.startedBy }: Extract<BulkEvent, { kind: 'resume' }>,
): BulkStep {
  if (model.state !== 'paused') return unchanged(model);
  const counts = countsOf(model);
  const failed = counts.failed + counts.overdue;
  return {
    model: {
      ...model,
      ...{
        state: 'running',
        why: '',
        startedBy: as,
        forgiven: { failed, ended: failed + counts.succeeded },
      },
      // Whatever was wrong may still be: it begins small again.
      wave: { ...model.wave, size: Math.floor(model.limits.firstWave / 2) },
    },
    effects: [record('resume', by, reason)],
  };
}

function abort(model: BulkModel, by: string, reason: string, now: number): BulkStep {
  if (!['planned', 'running', 'paused'].includes(model.state)) return unchanged(model);
  const why = `aborted by ${by}: ${reason}`;
  const cancels = model.targets
    .filter(({ state }) => state === 'sent' || state === 'overdue')
    .map(({ command }): BulkEffect => ({ kind: 'cancel', command }));
  const ended = { ...skipWaiting(model, why), state: 'aborted' as const, why, endedMs: now };
  return { model: ended, effects: [record('abort', by, reason), ...cancels] };
}

/** Total: any event in any state, twice or late. */
export function step(model: BulkModel, event: BulkEvent, now: number): BulkStep {
  switch (event.kind) {
    case 'start':
      return start(model, event, now);
    case 'tick':
      return tick(model, event, now);
    case 'issued': {
      const { terminal, command } = event;
      const next = changeTargets(
        model,
        (target) => target.terminal === terminal && target.state === 'issuing',
        () => ({ state: 'sent', command, sentMs: now, reason: '' }),
      );
      return unchanged(next);
    }
    case 'refused':
      return takeRefusal(model, event, now);
    case 'result':
      return takeResult(model, event, now);
    case 'pause': {
      if (model.state !== 'running') return unchanged(model);
      const why = `paused by ${event.by}: ${event.reason}`;
      const effects = [record('pause', event.by, event.reason)];
      return { model: { ...model, state: 'paused', why }, effects };
    }
    case 'resume':
      return resume(model, event);
    case 'halt': {
      if (model.state !== 'running') return unchanged(model);
      const effects = [record('stop', ITSELF, event.reason)];
      return { model: { ...model, state: 'paused', why: event.reason }, effects };
    }
    case 'abort':
      return abort(model, event.by, event.reason, now);
    default:
      return unchanged(model);
  }
}
