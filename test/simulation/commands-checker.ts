// Judges what a terminal did with commands, from facts alone (commands-world.ts) and with no code of the agent: nothing
// ran twice, nothing that was not issued for this terminal in these very words, nothing after its expiry as far as
// the terminal had proof of the time, and never more in an hour of uptime than the till allows.

import { isDeepStrictEqual } from 'node:util';
import { type Fact, LIMITS } from './commands-world.ts';

const HOUR_MS = 3_600_000;
/** Proof of time grows at half its speed, so that true time catches up with a signer whose clock was ahead. */
const DRIFT = 0.501;

export type Complaint = { readonly what: string; readonly id: string };
type Ran = Extract<Fact, { kind: 'ran' }>;
type Issued = Extract<Fact, { kind: 'issued' }>['command'];

const WEIGHTS: Readonly<Record<string, readonly [bound: keyof typeof LIMITS, count: number]>> = {
  restart: ['restarts', 1],
  restart_all: ['restarts', 2],
  reboot: ['reboots', 1],
};

/** The latest that the terminal could prove the time to be at that fact, from what it was shown before in this boot. */
function provenMs(facts: readonly Fact[], upTo: number, issued: ReadonlyMap<string, Issued>) {
  const at = facts[upTo] as Ran;
  let proven = 0;
  for (const fact of facts.slice(0, upTo)) {
    if (fact.kind !== 'arrived') continue;
    const issuedMs = issued.get(fact.id)?.issuedMs ?? 0;
    const sinceMs = fact.boot === at.boot ? (at.trueMs - fact.trueMs) * (1 - DRIFT) : 0;
    // An agent that died meanwhile keeps what it wrote, which is at least the command itself when it was for it.
    const isForIt = issued.get(fact.id)?.terminal === 'lane-1';
    if (isForIt) proven = Math.max(proven, issuedMs + Math.max(0, sinceMs));
  }
  return proven;
}

export function judge(facts: readonly Fact[]): readonly Complaint[] {
  const complaints: Complaint[] = [];
  const issued = new Map<string, Issued>();
  const seen = new Set<string>();
  const used: { bound: string; count: number; upMs: number }[] = [];
  facts.forEach((fact, index) => {
    if (fact.kind === 'issued') issued.set(fact.command.id, fact.command);
    if (fact.kind !== 'ran') return;
    const { command, trueMs, upMs, lieMs } = fact;
    const complain = (what: string): void => void complaints.push({ what, id: command.id });
    const genuine = issued.get(command.id);
    if (seen.has(command.id)) complain('ran twice');
    seen.add(command.id);
    if (!isDeepStrictEqual(genuine, command)) complain('was not issued so');
    if (command.terminal !== 'lane-1') complain('was for another terminal');
    const isLate = trueMs > command.expiresMs;
    if (isLate && lieMs >= 0) complain('ran after its expiry with an honest clock');
    if (isLate && provenMs(facts, index, issued) > command.expiresMs) {
      complain('ran after its expiry against proof');
    }
    const [bound, count] = WEIGHTS[command.kind] ?? [];
    if (bound === undefined || count === undefined) return;
    used.push({ bound, count, upMs });
    const recent = used.filter((use) => use.bound === bound && use.upMs > upMs - HOUR_MS);
    const sum = recent.reduce((all, use) => all + use.count, 0);
    if (sum > LIMITS[bound]) complain(`more than ${LIMITS[bound]} ${bound} in an hour`);
  });
  return complaints;
}
