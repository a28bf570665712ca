// A broker that is started again: what its versions were doing is put right from what became of their bulk actions.

import { describe, expect, it } from 'vitest';
import type { BulkView } from '../../broker/bulk/view.ts';
import type { Version } from '../../broker/configurations/model.ts';
import { createRolling } from '../../broker/configurations/rolling.ts';
import { openConfigurationStore } from '../../broker/configurations/store.ts';
import { quiet, rig } from './fleet-rig.ts';

const LIMITS = { firstWave: 1, fleetPercent: 10, failurePercent: 10, failuresMin: 3 };
const version = (number: number, state: Version['state']): Version => ({
  ...{ name: 'base', version: number, sha256: 'a'.repeat(64), bytes: 10, selector: { all: true } },
  ...{ scope: { rank: 'all' }, by: 'root', reason: 'T-1', createdMs: 1, state, why: '' },
  ...{ bulk: `bulk-${number}`, base: 0 },
});
const counts = (succeeded: number, failed: number) => ({
  ...{ waiting: 0, issuing: 0, sent: 0, overdue: 0, skipped: 0, succeeded, failed },
});

/** @param bulk as it is found; undefined: it is not kept any more. */
function startAgain(state: Version['state'], bulk: Partial<BulkView> | undefined) {
  const { fleet, time } = rig();
  const { database } = fleet;
  const written: string[] = [];
  const aborted: string[] = [];
  database.transact(() => openConfigurationStore(database).add(version(1, state), 'mode: act\n'));
  const store = openConfigurationStore(database);
  const view =
    bulk && ({ id: 'bulk-1', kind: 'apply', limits: LIMITS, why: 'so', ...bulk } as BulkView);
  createRolling(
    {
      ...{ database, clock: time.clock, log: quiet },
      bulks: {
        get: () => view,
        list: () => (view === undefined ? [] : [view]),
        abort: (id) => {
          aborted.push(id);
          return { ok: false, kind: 'conflict', reason: '' };
        },
        onStep: () => undefined,
      },
      audit: { write: ({ action }) => written.push(action) as never },
    },
    store,
  ).catchUp();
  const kept = openConfigurationStore(database).versionsOf('base');
  expect(kept).toEqual(store.versionsOf('base'));
  return { states: kept.map((one) => one.state), written, aborted };
}

describe('a version after a restart', () => {
  it.each([
    ['its bulk is done', 'rolling', { state: 'done', counts: counts(9, 0) }, ['released']],
    ['half of two failed', 'rolling', { state: 'done', counts: counts(1, 1) }, ['stopped']],
    ['nobody took it', 'rolling', { state: 'done', counts: counts(0, 0) }, ['stopped']],
    ['its bulk was aborted', 'rolling', { state: 'aborted', counts: counts(9, 0) }, ['stopped']],
    ['its bulk is not kept', 'rolling', undefined, ['stopped']],
    ['its bulk goes on', 'rolling', { state: 'running', counts: counts(1, 0) }, ['rolling']],
    ['nobody started it', 'planned', { state: 'expired', counts: counts(0, 0) }, []],
    ['its plan is gone', 'planned', undefined, []],
  ] as const)('%s', (_what, state, bulk, states) => {
    const found = startAgain(state, bulk);
    expect(found.states).toEqual(states);
    const ended = found.states.filter((one) => one === 'released' || one === 'stopped');
    expect(found.written).toEqual(ended.map((one) => `config.${one}`));
  });

  it('ends a bulk action whose version is over already', () => {
    const found = startAgain('stopped', { state: 'paused', counts: counts(0, 3) });
    expect(found).toMatchObject({ states: ['stopped'], aborted: ['bulk-1'], written: [] });
  });
});
