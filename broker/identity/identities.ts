// Identities as the rest of the broker sees them (types.ts): here records, tokens, requests and what operators do are put
// together.

import { FINAL_STATES } from '../../protocol/commands.ts';
import type { Timers } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { createLifecycle } from './lifecycle.ts';
import { type IdentityModel, judge, judgeState, standingOf, viewOfIdentity } from './machine.ts';
import type { Parts } from './parts.ts';
import { openRecords } from './records.ts';
import { createRequests } from './requests.ts';
import { openIdentityStore } from './store.ts';
import { createTokens } from './tokens.ts';
import { createTrustPush, type PushTrust } from './trust-push.ts';
import { createTwins } from './twins.ts';
import type { Admission, CutListener, Identities, IdentityState } from './types.ts';

export type IdentitiesOptions = Omit<Parts, 'fleet' | 'records' | 'store' | 'cut' | 'twin'> & {
  readonly fleet: Parts['fleet'] & Pick<Fleet, 'onResults' | 'identifyBy'>;
  readonly timers: Pick<Timers, 'every'>;
  /** Without it nobody is sent a newer trust document. */
  readonly pushTrust?: PushTrust | undefined;
};

const STRANGER: Admission = {
  ...{ ok: false, reason: 'certificate' },
  sentence: 'this terminal is not enrolled at this broker',
};

type Records = Parts['records'];

function createAdmissions(records: Records, twin: Parts['twin']) {
  return {
    admit: ((client, nowMs) => {
      const model = records.known(client.terminal);
      if (model === undefined) return STRANGER;
      if (standingOf(model, client.serial) === 'older') {
        twin(client.terminal, 'certificate', 'a certificate that was renewed came back');
      }
      const judged = judge(model, client, nowMs);
      if (judged.ok) records.note(client.terminal, { kind: 'shown', serial: client.serial });
      return judged;
    }) satisfies Identities['admit'],
    mayConnect: (terminal: string) => judgeState(records.get(terminal)),
    isSuspended: (terminal: string) => records.known(terminal)?.state === 'suspended',
  };
}

const isLive = ({ state }: IdentityModel): boolean => state === 'enrolled' || state === 'suspended';

function createLists(records: Records, fleet: IdentitiesOptions['fleet']) {
  const named = (fits: (model: IdentityModel) => boolean): readonly string[] =>
    [...records.all()].filter(fits).map(({ terminal }) => terminal);
  return {
    stateOf: (terminal: string): IdentityState => records.get(terminal).state,
    viewOf: (terminal: string) => {
      const model = records.known(terminal);
      return model && viewOfIdentity(model);
    },
    counts: (): Record<IdentityState, number> => {
      const counts = records.counts();
      const { enrolled, suspended, revoked } = counts;
      // Whoever is planned and did nothing yet has no record.
      const rest = fleet.planner.count() - enrolled - suspended - revoked;
      return { ...counts, new: Math.max(0, rest) };
    },
    twins: () => named((model) => isLive(model) && model.twin !== undefined).length,
    lacking: (version: number) => named((model) => isLive(model) && model.trust < version),
    issuedByOthers: (authority: string) =>
      named((model) => isLive(model) && (model.current?.authority ?? authority) !== authority),
  };
}

/** Ids of commands whose results say that the terminal did it. */
export function openIdentities(options: IdentitiesOptions): Identities {
  const { fleet, clock, timers, log, trust, pushTrust } = options;
  const { database } = fleet;
  const store = openIdentityStore(database);
  const records = openRecords({ store, database, clock, timers, log });
  const listeners = new Set<CutListener>();
  const twins = createTwins({ ...options, records });
  const parts: Parts = {
    ...{ ...options, records, store, twin: twins.seen },
    cut: (...told) => {
      for (const listener of listeners) listener(...told);
    },
  };
  const tokens = createTokens(parts);
  const push = trust && pushTrust && createTrustPush({ ...parts, trust, timers, push: pushTrust });
  fleet.onResults((terminal, results) => {
    database.afterCommit(() => {
      for (const { commandId, state } of results) {
        // It is accepted and running first; only its end says what became of it.
        if (FINAL_STATES.includes(state))
          push?.answered(terminal, commandId, state === 'succeeded');
      }
    });
  });
  const lists = createLists(records, fleet);
  fleet.identifyBy(lists.viewOf);
  return {
    ...createLifecycle(parts, tokens, twins.forget),
    ...createAdmissions(records, twins.seen),
    ...createRequests(parts),
    ...lists,
    greeted: (terminal, hello, address) => {
      if (hello !== undefined) twins.greeted(terminal, hello, address);
    },
    onCut: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      push?.close();
      records.close();
    },
  };
}
