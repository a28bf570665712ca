// Twelve terminals of three stores behind the API, and what one does with bulk actions in short.

import type { BulkView } from '../../broker/bulk/view.ts';
import type { IdentityState } from '../../broker/identity/types.ts';
import type { CommandState } from '../../protocol/commands.ts';
import { START_MS } from './fleet-rig.ts';
import { inventory, open } from './http-rig.ts';

const STORES = ['berlin', 'bremen', 'hamm'];
export const terminals = STORES.flatMap((store) =>
  [1, 2, 3, 4].map((lane) => ({ id: `${store}-${lane}`, store })),
);
const RESTART = { kind: 'restart', arguments: { component: 'sale' } };
export const HOLD = { kind: 'hold', arguments: { forMs: 60_000 } };

/** Twelve terminals of three stores, all of them there, each with a component `sale`. */
export async function begin(stateOf?: (terminal: string) => IdentityState) {
  const rig = await open({ terminals }, undefined, undefined, stateOf);
  const { fleet, post, get, commands } = rig;
  for (const { id } of terminals) {
    rig.terminals.events(id, inventory);
    fleet.sessionOpened(id, { address: '', openedMs: START_MS });
  }
  fleet.drain();
  const plan = async (body: object, headers = {}) => {
    const answer = await post(
      '/api/v1/bulk',
      { ...RESTART, reason: 'new version', ...body },
      headers,
    );
    return { status: answer.statusCode, ...answer.json<BulkView & { detail: string }>() };
  };
  const act = async (id: string, verb: string, body: object, headers = {}) => {
    const answer = await post(`/api/v1/bulk/${id}/${verb}`, body, headers);
    return { status: answer.statusCode, ...answer.json<BulkView & { detail: string }>() };
  };
  const start = (view: BulkView, body: object = {}, headers = {}) =>
    act(
      view.id,
      'start',
      {
        count: view.count,
        reason: 'go on',
        ...(view.confirm && { confirm: view.confirm }),
        ...body,
      },
      headers,
    );
  const view = async (id: string) => (await get(`/api/v1/bulk/${id}`)).json<BulkView>();
  /** What the terminals have been asked and have not answered. */
  const asked = (): readonly string[] =>
    commands
      .list({ limit: 100 })
      .filter(({ state }) => state === 'pending' || state === 'sent')
      .map(({ terminal }) => terminal);
  let saidMs = START_MS;
  /** Each terminal that was asked answers. @returns how many there were. */
  const answerAll = (state: CommandState = 'succeeded'): number => {
    const open = commands.list({ state: 'sent', limit: 100 });
    for (const { id, terminal } of open) {
      saidMs += 1;
      const word = { commandId: id, state, reason: `it ${state}`, timeMs: saidMs, detail: {} };
      rig.terminals.results(terminal, word);
    }
    fleet.drain();
    return open.length;
  };
  const finish = (): number[] => {
    const waves: number[] = [];
    for (let count = answerAll(); count > 0; count = answerAll()) waves.push(count);
    return waves;
  };
  return { ...rig, plan, act, start, view, asked, answerAll, finish };
}
