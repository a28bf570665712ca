// What operators do with a terminal: suspend, resume, revoke, retire, replace, move. Each is one transaction with its
// audit entry, its reason and what it does to the fleet; a live session is cut once that is on disk, so that no crash
// brings back who was thrown out. Its enrolment tokens go with it.

import { isId } from '../../protocol/ids.ts';
import type { Result } from '../../protocol/result.ts';
import { cutOf, type LifecycleKind, mayAct } from './machine.ts';
import { checkReason, type Parts, refuse, writeAudit } from './parts.ts';
import type { createTokens } from './tokens.ts';
import type { Act, Done, EnrolRefusal, Lifecycle, TokenMade } from './types.ts';

/** After these no older token may bring it back. */
const ENDS_TOKENS: readonly LifecycleKind[] = ['suspend', 'revoke', 'retire', 'replace'];

const answer = (done: Result<unknown>): Done =>
  done.ok ? { ok: true } : refuse('unavailable', done.reason);

export function createLifecycle(
  parts: Parts,
  tokens: ReturnType<typeof createTokens>,
  forgetTurns: (terminal: string) => void,
): Lifecycle {
  const { fleet, records, store } = parts;
  const { database, planner } = fleet;

  function judge(terminal: string, kind: LifecycleKind, act: Act): EnrolRefusal | undefined {
    const isThere = planner.storeOf(terminal) !== undefined || records.known(terminal);
    if (!isThere) {
      const name = terminal.slice(0, 64);
      return refuse('unknown_terminal', `there is no terminal "${name}" in this fleet`);
    }
    const wrong = checkReason(act.reason);
    if (wrong !== undefined) return wrong;
    const may = mayAct(records.get(terminal), kind);
    return may.ok ? undefined : refuse('conflict', may.reason);
  }

  /** Within a transaction. */
  function perform(terminal: string, kind: LifecycleKind, act: Act, detail = {}): void {
    const before = records.get(terminal);
    const { state, current } = before;
    records.change(terminal, { kind, act });
    if (ENDS_TOKENS.includes(kind)) store.forgetTokens(terminal);
    writeAudit(parts, {
      ...{ operator: act.operator, action: `terminal.${kind}`, subject: terminal },
      ...{ reason: act.reason.trim(), outcome: 'ok' },
      detail: { was: state, serial: current?.serial ?? '', ...detail },
    });
    const sentence = cutOf(before, kind);
    database.afterCommit(() => {
      if (kind === 'replace' || kind === 'accept_machine') forgetTurns(terminal);
      parts.log.info('identity changed', { terminal, kind, operator: act.operator });
      if (sentence !== undefined) parts.cut(terminal, 'revoked', sentence);
    });
  }

  const simple =
    (kind: LifecycleKind, more: (terminal: string) => void = () => {}) =>
    (terminal: string, act: Act): Done => {
      const wrong = judge(terminal, kind, act);
      if (wrong !== undefined) return wrong;
      return answer(
        database.transact(() => {
          perform(terminal, kind, act);
          more(terminal);
        }),
      );
    };

  function move(terminal: string, where: string, act: Act): Done {
    const wrong = judge(terminal, 'move', act);
    if (wrong !== undefined) return wrong;
    const from = planner.storeOf(terminal);
    if (!isId(where)) return refuse('invalid', `"${where.slice(0, 64)}" is no id of a store`);
    if (from === where) return refuse('conflict', `${terminal} stands in ${where} already`);
    return answer(
      database.transact(() => {
        perform(terminal, 'move', act, { from, to: where });
        planner.plan(terminal, where);
        // A token is bound to its store.
        store.forgetTokens(terminal);
      }),
    );
  }

  function replace(terminal: string, act: Act, minutes?: number): TokenMade | EnrolRefusal {
    const store = planner.storeOf(terminal) ?? fleet.storeOf(terminal);
    const wish = { terminal, store, minutes };
    const wrong = judge(terminal, 'replace', act) ?? tokens.judgeBroker() ?? tokens.judgeWish(wish);
    if (wrong !== undefined) return wrong;
    const made = database.transact(() => {
      perform(terminal, 'replace', act);
      planner.plan(terminal, store);
      return tokens.grant(wish, act);
    });
    return made.ok ? made.value : refuse('unavailable', made.reason);
  }

  return {
    makeToken: tokens.makeToken,
    makeTokens: tokens.makeTokens,
    replace,
    move,
    suspend: simple('suspend'),
    resume: simple('resume'),
    revoke: simple('revoke'),
    retire: simple('retire', planner.retire),
    acceptMachine: simple('accept_machine'),
  };
}
