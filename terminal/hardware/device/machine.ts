// What a device is, pure: its life cycle (open, claim, enable and back), what the last look at it said and
// which rung of recovery comes next. Three things are kept apart because each calls for somebody else: what
// the device says of itself (a human), that we could not ask (the ladder), and that nobody has asked yet
// or can ask (nobody). Drivers report looks, one executor does the rungs.

import { FAULT_CODES, type Fault, pauseMsOf, type Rung, rungAt } from './ladder.ts';
import type { DeviceState, ErrorCode, PowerState } from './upos.ts';

export type Look =
  | { readonly kind: 'well' }
  /** Said by the device. */
  | { readonly kind: 'device'; readonly code: ErrorCode; readonly detail?: string }
  /** It could not be asked. */
  | { readonly kind: 'probe'; readonly fault: Fault; readonly detail?: string }
  | { readonly kind: 'unknown' };

export type Model = {
  readonly opened: boolean;
  readonly claimed: boolean;
  readonly enabled: boolean;
  readonly working: boolean;
  readonly look: Look;
  /** The same fault in a row. */
  readonly failures: number;
  /** Since when the device can be talked to, whatever it says. */
  readonly reachedMs: number | undefined;
  /** It was reachable long enough that a restart of the process may help. */
  readonly restartEarned: boolean;
};

export type Event =
  | { readonly kind: 'open' | 'claim' | 'enable' | 'disable' | 'release' | 'close' }
  | { readonly kind: 'work' | 'rest' }
  | { readonly kind: 'looked'; readonly look: Look };

export type Action = { readonly rung: Rung; readonly pauseMs: number };
export type Stepped = {
  readonly model: Model;
  /** The call was refused. */
  readonly refused?: ErrorCode;
  /** What to do now to reach the device again. */
  readonly action?: Action;
  /** What the fault was before; `undefined` in it: it was well. */
  readonly changed?: { readonly from: ErrorCode | undefined; readonly to: ErrorCode | undefined };
};

/** A restart that did not make the device well is not asked for again: that would be a loop. */
export const RESTART_EARNED_MS = 60_000;

export const initialModel: Model = {
  opened: false,
  claimed: false,
  enabled: false,
  working: false,
  look: { kind: 'unknown' },
  failures: 0,
  reachedMs: undefined,
  restartEarned: false,
};

export function codeOf({ look }: Model): ErrorCode | undefined {
  if (look.kind === 'device') return look.code;
  return look.kind === 'probe' ? FAULT_CODES[look.fault] : undefined;
}

export function stateOf(model: Model): DeviceState {
  if (!model.enabled) return model.opened ? 'IDLE' : 'CLOSED';
  if (codeOf(model) !== undefined) return 'ERROR';
  return model.working ? 'BUSY' : 'IDLE';
}

export function powerOf({ enabled, look }: Model): PowerState {
  if (!enabled || look.kind === 'unknown') return 'UNKNOWN';
  if (look.kind === 'well') return 'ONLINE';
  if (look.kind === 'device') return 'OFFLINE';
  if (look.fault === 'wedged') return 'OFFLINE';
  // Held by somebody else or not understood: it may be perfectly well.
  return look.fault === 'claimed' || look.fault === 'garbage' ? 'UNKNOWN' : 'OFF_OFFLINE';
}

/** Nothing more can be learned by asking: what is to be done is done without an answer. */
export const mayWorkBlindly = ({ look, failures }: Model): boolean =>
  look.kind === 'probe' &&
  look.fault === 'silent' &&
  rungAt('silent', failures).step.rung === 'reopen' &&
  rungAt('silent', failures).attempt > 0;

export function step(model: Model, event: Event, nowMs: number): Stepped {
  switch (event.kind) {
    case 'work':
      return { model: { ...model, working: true } };
    case 'rest':
      return { model: { ...model, working: false } };
    case 'looked':
      return looked(model, event.look, nowMs);
    default:
      return live(model, event.kind);
  }
}

type Call = 'open' | 'claim' | 'enable' | 'disable' | 'release' | 'close';

function live(model: Model, call: Call): Stepped {
  const idle = { look: initialModel.look, failures: 0, working: false, reachedMs: undefined };
  if (call === 'open') return { model: { ...model, opened: true } };
  if (!model.opened) return { model, refused: 'E_CLOSED' };
  if (call === 'close') return { model: initialModel };
  if (call === 'claim') return { model: { ...model, claimed: true } };
  if (!model.claimed) return { model, refused: 'E_NOTCLAIMED' };
  if (call === 'enable') return { model: { ...model, enabled: true } };
  const disabled = { ...model, ...idle, enabled: false };
  return { model: call === 'release' ? { ...disabled, claimed: false } : disabled };
}

function looked(model: Model, look: Look, nowMs: number): Stepped {
  if (!model.enabled) return { model, refused: 'E_DISABLED' };
  const reached = look.kind === 'well' || look.kind === 'device';
  const since = model.reachedMs ?? nowMs;
  const earned = model.restartEarned || (reached && nowMs - since >= RESTART_EARNED_MS);
  const sameFault =
    look.kind === 'probe' && model.look.kind === 'probe' && look.fault === model.look.fault;
  const failures = look.kind !== 'probe' ? 0 : sameFault ? model.failures + 1 : 1;
  const next: Model = {
    ...model,
    look,
    failures,
    reachedMs: reached ? since : undefined,
    restartEarned: earned,
  };
  const changed = { from: codeOf(model), to: codeOf(next) };
  const told = changed.from === changed.to ? {} : { changed };
  if (look.kind !== 'probe') return { model: next, ...told };
  const place = rungAt(look.fault, failures);
  const pauseMs = pauseMsOf(place);
  if (place.step.rung !== 'restart') {
    return { model: next, action: { rung: place.step.rung, pauseMs }, ...told };
  }
  const rung = earned ? 'restart' : 'reopen';
  return { model: { ...next, restartEarned: false }, action: { rung, pauseMs }, ...told };
}
