// The life of a terminal's identity, pure: which certificate is good, what becomes of it at each act of an operator and
// each word of a terminal, and what looks like two machines with one identity. The newest certificate and the one before
// are good until the newest was used: an answer that was lost must not lock a till out. Whoever comes with an older one
// has a copy, or is one.

import type { Hello } from '../../protocol/hello.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Act, Admission, IdentityState, IdentityView, Twin } from './types.ts';

export type CertificateModel = {
  readonly serial: string;
  readonly notAfterMs: number;
  readonly notBeforeMs?: number | undefined;
  /** Fingerprint of the authority that issued it. */
  readonly authority: string;
};

export type IdentityModel = {
  readonly terminal: string;
  readonly state: IdentityState;
  readonly sinceMs: number | undefined;
  readonly by: string;
  readonly reason: string;
  readonly current?: CertificateModel | undefined;
  readonly previous?: CertificateModel | undefined;
  /** Whether the current one was shown: the one before is over from then on. */
  readonly used: boolean;
  /** The one that enrolled, or was accepted later; undefined until it said. */
  readonly machine?: string | undefined;
  /** The one that it was last on. */
  readonly seen?: string | undefined;
  readonly trust: number;
  readonly twin?: Twin | undefined;
};

export const newIdentity = (terminal: string): IdentityModel => ({
  ...{ terminal, state: 'new', sinceMs: undefined, by: '', reason: '', used: false, trust: 0 },
});

export const viewOfIdentity = (model: IdentityModel): IdentityView => ({
  ...{ state: model.state, sinceMs: model.sinceMs, by: model.by, reason: model.reason },
  serial: model.current?.serial,
  expiresMs: model.current?.notAfterMs,
  ...{ trust: model.trust, twin: model.twin },
});

/** A till's clock may be wrong, ours should not be: so much a certificate may be from the future. */
const AHEAD_MS_MAX = 5 * 60_000;
const OVER: Partial<Record<IdentityState, string>> = {
  revoked: 'is revoked',
  retired: 'is retired',
};
const refused = (reason: 'certificate' | 'revoked', sentence: string): Admission => ({
  ...{ ok: false, reason, sentence },
});

/** Whether the terminal may connect at all, whatever it shows. */
export function judgeState({ terminal, state }: IdentityModel): Admission {
  const over = OVER[state];
  return over === undefined ? { ok: true } : refused('revoked', `${terminal} ${over}`);
}

type Shown = {
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};
export type Standing = 'current' | 'previous' | 'older' | 'unknown';

export function standingOf({ current, previous, used }: IdentityModel, serial: string): Standing {
  if (serial === current?.serial) return 'current';
  if (serial !== previous?.serial) return 'unknown';
  return used ? 'older' : 'previous';
}

/** Of a certificate that one of our authorities issued, shown by whoever has its key. */
export function judge(model: IdentityModel, shown: Shown, nowMs: number): Admission {
  const state = judgeState(model);
  if (!state.ok) return state;
  const { terminal } = model;
  const standing = standingOf(model, shown.serial);
  if (standing === 'older') {
    return refused('revoked', `this certificate of ${terminal} was renewed and is over`);
  }
  if (standing === 'unknown') {
    return refused('revoked', `this certificate of ${terminal} was taken back or never recorded`);
  }
  if (shown.notAfterMs <= nowMs) {
    return refused('certificate', `the certificate of ${terminal} has ended: it has to renew it`);
  }
  if (shown.notBeforeMs > nowMs + AHEAD_MS_MAX) {
    return refused('certificate', `the certificate of ${terminal} begins in the future`);
  }
  return { ok: true };
}

/**
 * Every certificate is on disk here before a terminal has it, so that one which begins later than all that is known was
 * lost here: the registry was restored from a backup. It is not let in; it may renew on the machine that enrolled, or
 * restoring would lock out whoever renewed since.
 */
export function isUnrecorded(
  { state, current, machine }: IdentityModel,
  standing: Standing,
  shown: Shown,
): boolean {
  const isInUse = state === 'enrolled' || state === 'suspended';
  const knownMs = current?.notBeforeMs ?? Number.POSITIVE_INFINITY;
  const isNewer = standing === 'unknown' && shown.notBeforeMs > knownMs;
  return isInUse && machine !== undefined && isNewer;
}

/** @returns why it may not be renewed. The proof that its key is at hand was judged before. */
export function judgeRenewal(
  model: IdentityModel,
  shown: Shown,
  machine: string,
  { nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number },
): Result<void> {
  const again = 'enrol it again (tillwatch terminal replace)';
  const standing = standingOf(model, shown.serial);
  const isOurs = standing === 'current' || standing === 'previous';
  if (!judgeState(model).ok || !(isOurs || isUnrecorded(model, standing, shown))) {
    return fail(`this certificate of ${model.terminal} was taken back or is replaced: ${again}`);
  }
  if (nowMs > shown.notAfterMs + graceMs) {
    return fail(`this certificate of ${model.terminal} ended longer ago than its grace: ${again}`);
  }
  // Else a copy of its disk would renew first, and lock the terminal itself out.
  if (model.machine !== undefined && machine !== model.machine) {
    return fail(
      `${model.terminal} is on another machine than it was enrolled on: somebody has to say that this ` +
        'is right (tillwatch terminal accept-machine)',
    );
  }
  return ok(undefined);
}

export type IdentityEvent =
  | {
      readonly kind: 'enrolled';
      readonly certificate: CertificateModel;
      readonly machine: string;
      readonly act: Act;
    }
  | {
      readonly kind: 'renewed';
      readonly from: CertificateModel;
      readonly certificate: CertificateModel;
    }
  | { readonly kind: 'shown'; readonly serial: string }
  | { readonly kind: 'heard'; readonly hello: Hello }
  | { readonly kind: 'trusts'; readonly version: number }
  /** It is not connected, and asked from that machine. */
  | { readonly kind: 'asked'; readonly machine: string }
  | { readonly kind: 'twin'; readonly sign: Twin['sign']; readonly sentence: string }
  | { readonly kind: LifecycleKind; readonly act: Act };

export type LifecycleKind =
  | 'suspend'
  | 'resume'
  | 'revoke'
  | 'retire'
  | 'replace'
  | 'accept_machine'
  | 'move';

const became = (state: IdentityState, act: Act, nowMs: number) => ({
  ...{ state, sinceMs: nowMs, by: act.operator, reason: act.reason },
});
/** Nothing that it had is good any more, and what looked odd about it is over. */
const BLANK = {
  ...{ current: undefined, previous: undefined, used: false },
  ...{ machine: undefined, seen: undefined, twin: undefined },
} as const;

function withTwin(model: IdentityModel, sign: Twin['sign'], sentence: string, nowMs: number) {
  // The first sign stays until somebody has looked: more of them tell nothing new.
  return model.twin === undefined ? { ...model, twin: { sign, sinceMs: nowMs, sentence } } : model;
}

/** That it is another machine than the one that enrolled is a twin's sign, told apart (twins.ts). */
function hear(model: IdentityModel, { machine, trust }: Hello): IdentityModel {
  const own = model.machine ?? machine;
  const isSame = model.seen === machine && model.trust === trust && model.machine === own;
  return isSame ? model : { ...model, seen: machine, trust, machine: own };
}

/** Total: what does not fit the state changes nothing; mayAct says beforehand why. */
export function step(model: IdentityModel, event: IdentityEvent, nowMs: number): IdentityModel {
  switch (event.kind) {
    case 'enrolled': {
      const { certificate: current, machine, act } = event;
      return { ...model, ...BLANK, ...became('enrolled', act, nowMs), current, machine };
    }
    case 'renewed':
      return { ...model, previous: event.from, current: event.certificate, used: false };
    case 'shown':
      return event.serial === model.current?.serial && !model.used
        ? { ...model, used: true }
        : model;
    case 'heard':
      return hear(model, event.hello);
    case 'asked':
      return model.seen === event.machine ? model : { ...model, seen: event.machine };
    case 'trusts':
      return event.version > model.trust ? { ...model, trust: event.version } : model;
    case 'twin':
      return withTwin(model, event.sign, event.sentence, nowMs);
    case 'move':
      return model;
    case 'suspend':
      return { ...model, ...became('suspended', event.act, nowMs) };
    case 'resume': {
      const state = model.current === undefined ? 'new' : 'enrolled';
      return { ...model, ...became(state, event.act, nowMs) };
    }
    case 'revoke':
      return { ...model, ...became('revoked', event.act, nowMs) };
    case 'retire':
      return { ...model, ...became('retired', event.act, nowMs) };
    case 'replace':
      return { ...model, ...BLANK, ...became('new', event.act, nowMs), trust: 0 };
    case 'accept_machine':
      return { ...model, machine: model.seen ?? model.machine, twin: undefined };
  }
}

const BRINGS_BACK = 'tillwatch terminal replace brings it back, with a new certificate';

/** @returns why it cannot be done in this state. */
export function mayAct(
  { terminal, state, twin }: IdentityModel,
  kind: LifecycleKind,
): Result<void> {
  if (kind === 'replace') return ok(undefined);
  if (state === 'retired') return fail(`${terminal} is retired: ${BRINGS_BACK}`);
  if (kind === 'retire' || kind === 'move') return ok(undefined);
  if (state === 'revoked') return fail(`${terminal} is revoked, which is final: ${BRINGS_BACK}`);
  if (kind === 'suspend' && state === 'suspended') return fail(`${terminal} is suspended already`);
  if (kind === 'resume' && state !== 'suspended') return fail(`${terminal} is not suspended`);
  if (kind === 'accept_machine' && twin === undefined) {
    return fail(`nothing about the machine of ${terminal} is odd`);
  }
  return ok(undefined);
}

/** What its live session is told when this is done; undefined: it stays. */
export function cutOf({ terminal }: IdentityModel, kind: LifecycleKind): string | undefined {
  if (kind === 'revoke') return `${terminal} is revoked`;
  if (kind === 'retire') return `${terminal} is retired`;
  return kind === 'replace' ? `${terminal} is replaced: its certificate was taken back` : undefined;
}

/** Instances of its agent that it met, newest last. */
export type Turn = { readonly instance: string; readonly address: string };
export const TURNS_MAX = 8;

/**
 * Each start of an agent makes a new instance, so that one which comes back after another has run beside it.
 * @returns what is remembered from now on, and the one between if it came back.
 */
export function takeTurn(
  turns: readonly Turn[],
  turn: Turn,
): { readonly turns: readonly Turn[]; readonly other?: Turn } {
  const last = turns.at(-1);
  if (last?.instance === turn.instance) return { turns: [...turns.slice(0, -1), turn] };
  const cameBack = turns.some(({ instance }) => instance === turn.instance);
  const others = turns.filter(({ instance }) => instance !== turn.instance);
  const next = [...others, turn].slice(-TURNS_MAX);
  return cameBack && last !== undefined ? { turns: next, other: last } : { turns: next };
}
