// One wish for several terminals: the selector of bulk actions says which, and each gets a request of its own, all with
// the id of their group. More than a person can read is refused instead of cut: who asks for a hundred stores
// means something else.

import { createHash, randomUUID } from 'node:crypto';
import { LOG_TERMINALS_MAX } from '../../protocol/limits.ts';
import type { LeftOut } from '../bulk/model.ts';
import { type Selector, select } from '../bulk/select.ts';
import { wrongReason, wrongRole } from '../commands/request.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import type { Ask, Asked, Asking, Lines } from './asking.ts';
import { filtersOf, wrongWords } from './asking.ts';
import type { LogsOptions } from './logs.ts';
import type { LogView } from './view.ts';

export type GroupAsk = Omit<Ask, 'terminal'> & Lines & { readonly selector: Selector };
export type GroupAsked = {
  readonly ok: true;
  readonly group: string;
  readonly requests: readonly LogView[];
  /** Fit the selector and cannot be asked. */
  readonly leftOut: readonly LeftOut[];
};

/** The same key of the caller is another one for each terminal, and the same one again for the same. */
const keyFor = (terminal: string, key: string | undefined): string | undefined =>
  key && createHash('sha256').update(`${terminal} ${key}`).digest('hex');

export function createGroups(options: LogsOptions, create: Asking['create']) {
  const { fleet, audit, stateOf = () => 'enrolled' } = options;

  /** A key that was used before belongs to a group already. */
  function write(group: string, { selector, ...asked }: GroupAsk, all: readonly LogView[]): void {
    if (all.some((one) => one.group !== group)) return;
    const { components = [], sinceMs, untilMs, bytesMax } = asked;
    const window = { components, sinceMs, untilMs, bytesMax, ...filtersOf(asked) };
    const requests = all.map(({ id, terminal }) => ({ id, terminal }));
    const detail = { selector, ...window, count: all.length, requests };
    const entry = { operator: asked.actor.name, action: 'logs.group.create', subject: group };
    audit.write({ ...entry, reason: asked.reason.trim(), outcome: 'queued', detail });
  }

  return (ask: GroupAsk): GroupAsked | Refusal => {
    const { selector, ...asked } = ask;
    const { actor, reason, components = [], sinceMs, untilMs, bytesMax = 1 } = asked;
    const forbidden = wrongRole(actor, 'logs');
    if (forbidden !== undefined) return forbidden;
    const unclear = wrongReason(reason) ?? wrongWords(asked);
    if (unclear !== undefined) return refuse('invalid', unclear);
    const window = { request: randomUUID(), components, sinceMs, untilMs, bytesMax };
    const content = { kind: 'logs', arguments: { ...window, ...filtersOf(asked) } };
    const selected = select({ fleet, stateOf }, selector, content);
    if (!selected.ok) return refuse('invalid', selected.reason);
    const { chosen, leftOut } = selected.value;
    if (chosen.length > LOG_TERMINALS_MAX) {
      const most = `logs of at most ${LOG_TERMINALS_MAX} terminals are asked for at one time`;
      return refuse('invalid', `selector: ${chosen.length} terminals fit, and ${most}`);
    }
    const group = randomUUID();
    const done = fleet.database.transact((): GroupAsked | Refusal => {
      const requests: LogView[] = [];
      const refused: LeftOut[] = [...leftOut];
      let last: Refusal | undefined;
      for (const { terminal } of chosen) {
        const idempotencyKey = keyFor(terminal, asked.idempotencyKey);
        const one: Asked | Refusal = create({ ...asked, terminal, group, idempotencyKey });
        if (one.ok) requests.push(one.view);
        else {
          last = one;
          refused.push({ terminal, reason: one.reason });
        }
      }
      if (requests.length === 0 && last !== undefined) return last;
      write(group, ask, requests);
      return { ok: true, group: requests[0]?.group ?? group, requests, leftOut: refused };
    });
    return done.ok ? done.value : refuse('unavailable', done.reason);
  };
}
