// Sends the trust document to terminals that have an older one, and tells those whose certificate is of an authority that
// goes to renew it. In portions, once a second: a rotation concerns the whole fleet at once, and each command is a
// commit. A terminal that does not come round is told again after an hour.

import type { Timers } from '../clock.ts';
import type { IdentityModel } from './machine.ts';
import type { Parts } from './parts.ts';

const TICK_MS = 1_000;
const PUSHES_PER_TICK = 50;
const AGAIN_MS = 3_600_000;

export type TrustArguments = {
  readonly version: number;
  readonly authorities: readonly string[];
  readonly commandKeys: readonly string[];
  readonly renew?: boolean;
};
/** Queues the command `trust` in the broker's own name. @returns its id, if it could. */
export type PushTrust = (terminal: string, args: TrustArguments) => string | undefined;

type PushParts = Pick<Parts, 'fleet' | 'records' | 'clock'> & {
  readonly trust: NonNullable<Parts['trust']>;
  readonly timers: Pick<Timers, 'every'>;
  readonly push: PushTrust;
};

export function createTrustPush({ fleet, records, clock, trust, timers, push }: PushParts) {
  /** What was sent to whom in this run: a second one of the same would only be the same again. */
  const sent = new Map<string, { readonly what: string; readonly atMs: number }>();
  const versions = new Map<string, number>();

  function wanted({ state, trust: has, current, previous, used, seen }: IdentityModel) {
    if (state !== 'enrolled' || current === undefined || seen === undefined) return undefined;
    const document = trust.document();
    // It is there without having shown its newest one: the answer was lost, and with it perhaps the wish to renew.
    const { authority } = (used ? undefined : previous) ?? current;
    const renew = authority !== '' && authority !== trust.fingerprint();
    if (has >= document.version && !renew) return undefined;
    return { ...document, ...(renew && { renew }) };
  }

  function look(): void {
    let left = PUSHES_PER_TICK;
    const now = clock.monotonicMs();
    for (const model of records.all()) {
      if (left === 0) return;
      const args = wanted(model);
      if (args === undefined || !fleet.isConnected(model.terminal)) continue;
      const what = `${args.version} ${args.renew === true ? model.current?.serial : ''}`;
      const before = sent.get(model.terminal);
      if (before?.what === what && now - before.atMs < AGAIN_MS) continue;
      left -= 1;
      sent.set(model.terminal, { what, atMs: now });
      const id = push(model.terminal, args);
      if (id !== undefined) versions.set(id, args.version);
    }
  }
  const cancel = timers.every(TICK_MS, look);

  return {
    /** A command was answered; of ours it says what the terminal believes now. */
    answered: (terminal: string, command: string, isDone: boolean): void => {
      const version = versions.get(command);
      if (version === undefined) return;
      versions.delete(command);
      if (isDone) records.note(terminal, { kind: 'trusts', version });
    },
    close: cancel,
  };
}
