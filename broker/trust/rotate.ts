// `tillwatch broker rotate`: one step of a rotation, done on the files, beside a running broker or without one. The new
// key lies on disk before trust.json names it, the old one is deleted after trust.json no longer does; a kill in between
// leaves a key too many, never one too few. A step that would lock terminals out is refused unless it is forced.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { publicKeyText } from '../../protocol/commands.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { lockFile } from '../files.ts';
import { fingerprintOf } from './certificates.ts';
import { type Held, readHeld } from './held.ts';
import { isEncrypted, readSecret } from './key-files.ts';
import { type Belief, readBeliefs } from './lacking.ts';
import {
  type GivenAuthority,
  type Making,
  makeNamedAuthority,
  makeNamedCommandKey,
  takeAuthority,
} from './make.ts';
import {
  listOf,
  nextNumber,
  type Phase,
  phaseOf,
  type RotationStep,
  rotate,
  type Target,
} from './rotation.ts';
import { lockPath, paths, readState, type TrustState, writeState } from './state.ts';

export type RotateOptions = {
  readonly keysDir: string;
  readonly dataDir: string;
  readonly passphrase?: string | undefined;
  readonly target: Target;
  readonly step: RotationStep['kind'];
  /** Also when terminals are locked out by it. */
  readonly force?: boolean | undefined;
  /** At `start` of an authority: an existing one. */
  readonly authority?: GivenAuthority | undefined;
  readonly nowMs: number;
};

export type Rotated = {
  readonly version: number;
  readonly phase: Phase;
  /** Of the authority that issues now. */
  readonly fingerprint: string;
  /** Who would be locked out by the next step. */
  readonly waitsFor: readonly string[];
};

/** Whom the next step would lock out: at the switch who does not believe the new one, at the end who needs the old one. */
function lockedOut(held: Held, target: Target, beliefs: readonly Belief[]): readonly string[] {
  const phase = phaseOf(held.state, target);
  if (phase === 'settled') return [];
  const since = held.state.since[target];
  const last = held.authorities.filter(({ name }) =>
    held.state.authorities.some((one) => one.name === name && one.stage === 'last'),
  );
  // A version that we do not know is of keys that are gone: this folder is from an older backup.
  const isOut = ({ trust, authorities }: Belief): boolean =>
    trust < since ||
    trust > held.state.version ||
    (phase === 'switched' &&
      target === 'authority' &&
      last.some(({ fingerprint }) => authorities.includes(fingerprint)));
  return beliefs.filter(isOut).map(({ terminal }) => terminal);
}

const NAMED_MAX = 5;
export function namesOf(terminals: readonly string[]): string {
  const more = terminals.length - NAMED_MAX;
  return terminals.slice(0, NAMED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

async function makeNew(
  options: RotateOptions,
  making: Making,
): Promise<Result<{ name: string; key: string }>> {
  const { target, keysDir, authority, passphrase, nowMs } = options;
  const files = readdirSync(keysDir).filter((file) => file.startsWith(`${target}-`));
  const name = `${target}-${nextNumber(files)}`;
  if (target === 'command') {
    const key = makeNamedCommandKey(making, name);
    return key.ok ? ok({ name, key: publicKeyText(key.value) }) : key;
  }
  const taken = authority && takeAuthority(authority, passphrase, nowMs);
  if (taken?.ok === false) return taken;
  const pem = await makeNamedAuthority(making, name, taken?.value);
  return pem.ok ? ok({ name, key: fingerprintOf(pem.value) }) : pem;
}

/** What no longer counts must not be found by whoever copies the folder next year. */
function forgetOld(keysDir: string, target: Target, before: TrustState, now: TrustState): void {
  const kept = new Set(listOf(now, target).map(({ name }) => name));
  for (const { name } of listOf(before, target)) {
    if (kept.has(name)) continue;
    rmSync(paths.key(keysDir, name), { force: true });
    rmSync(paths.certificate(keysDir, name), { force: true });
  }
}

/** New keys are encrypted when the others are: a running broker has a passphrase or has none. */
function passphraseFor(held: Held, options: RotateOptions): Result<string | undefined> {
  const used = held.state.authorities.find(({ stage }) => stage === 'used')?.name ?? '';
  const text = readSecret(paths.key(options.keysDir, used));
  if (!text.ok) return text;
  return ok(isEncrypted(text.value) ? options.passphrase : undefined);
}

async function begin(options: RotateOptions, held: Held): Promise<Result<TrustState>> {
  const { keysDir, target, nowMs } = options;
  const passphrase = passphraseFor(held, options);
  if (!passphrase.ok) return passphrase;
  const made = await makeNew(options, { keysDir, passphrase: passphrase.value, nowMs });
  return made.ok ? rotate(held.state, target, { kind: 'start', ...made.value }) : made;
}

async function perform(options: RotateOptions): Promise<Result<Rotated>> {
  const { keysDir, dataDir, target, step } = options;
  const held = readHeld(keysDir, options.passphrase);
  if (!held.ok) return held;
  const { state } = held.value;
  const beliefs = readBeliefs(join(dataDir, 'registry.db'));
  if (!beliefs.ok) return beliefs;
  const out =
    step === 'switch' || step === 'finish' ? lockedOut(held.value, target, beliefs.value) : [];
  // Asked of the step before anything is made: a start at the wrong time leaves no key behind.
  const asked = rotate(
    state,
    target,
    step === 'start' ? { kind: step, name: '', key: '' } : { kind: step },
  );
  if (!asked.ok) return asked;
  if (out.length > 0 && options.force !== true) {
    return fail(
      `${namesOf(out)} would be locked out: wait until they were online, or enrol them anew ` +
        'afterwards and say --force now',
    );
  }
  const next = step === 'start' ? await begin(options, held.value) : asked;
  if (!next.ok) return next;
  writeState(keysDir, next.value);
  forgetOld(keysDir, target, state, next.value);
  const now = readHeld(keysDir, options.passphrase);
  if (!now.ok) return now;
  return ok({
    version: next.value.version,
    phase: phaseOf(next.value, target),
    fingerprint: now.value.issuer.fingerprint,
    waitsFor: lockedOut(now.value, target, beliefs.value),
  });
}

/** A running broker notices by itself within two seconds. */
export async function rotateTrust(options: RotateOptions): Promise<Result<Rotated>> {
  try {
    const there = readState(options.keysDir);
    if (!there.ok) return there;
    const busy = `another "tillwatch broker" is at work in ${options.keysDir}`;
    const lock = lockFile(lockPath(options.keysDir), busy);
    if (!lock.ok) return lock;
    try {
      return await perform(options);
    } finally {
      lock.value();
    }
  } catch (cause) {
    return fail(`the rotation failed, nothing is lost: ${(cause as Error).message}`);
  }
}

export type RotationView = { readonly version: number } & Readonly<
  Record<Target, { readonly phase: Phase; readonly waitsFor: readonly string[] }>
>;

/** Where both rotations stand; changes nothing. */
export function viewRotations(
  keysDir: string,
  dataDir: string,
  passphrase: string | undefined,
): Result<RotationView> {
  const held = readHeld(keysDir, passphrase);
  if (!held.ok) return held;
  const beliefs = readBeliefs(join(dataDir, 'registry.db'));
  if (!beliefs.ok) return beliefs;
  const view = (target: Target) => ({
    phase: phaseOf(held.value.state, target),
    waitsFor: lockedOut(held.value, target, beliefs.value),
  });
  const { version } = held.value.state;
  return ok({ version, authority: view('authority'), command: view('command') });
}
