// Six terminals of two stores behind the API that answer as tills do: they try a version, keep it or go back from it,
// and say so by events and results.

import { createPublicKey } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import type { PlanView } from '../../broker/configurations/desk.ts';
import type { DocumentView, VersionView } from '../../broker/configurations/views.ts';
import type { IdentityState } from '../../broker/identity/types.ts';
import { parsePublicKey, publicKeyText, verifyCommand } from '../../protocol/commands.ts';
import { happened, must, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';

export const terminals = ['berlin', 'hamm'].flatMap((store) =>
  [1, 2, 3].map((lane) => ({ id: `${store}-${lane}`, store })),
);
export const text = (more = ''): string =>
  `mode: act\ncomponents:\n  - { name: sale, command: [sale] }\n${more}`;

type Applied = { name: string; version: number; sha256: string; packed: string };
export type Till = { works: boolean; text: string; seen: number[]; clock: number };

export async function begin(options: { stateOf?: (terminal: string) => IdentityState } = {}) {
  const rig = await open({ terminals }, undefined, undefined, options.stateOf);
  const { fleet, post, get, commands, time } = rig;
  const tills = new Map<string, Till>();
  let saidMs = START_MS;
  const event = (id: string, kind: string, fields: object): void => {
    saidMs += 1;
    rig.terminals.events(id, happened(saidMs, { kind, component: '', fields } as never));
  };
  const inventory = (id: string, configuration: object): void =>
    event(id, 'inventory', {
      ...{ agent: '0.2.0', os: 'Linux', hostname: id, components: [], configuration },
    });
  const come = (id: string): void => {
    if (!tills.has(id)) tills.set(id, { works: true, text: '', seen: [], clock: 0 });
    fleet.sessionOpened(id, { address: '', openedMs: START_MS });
    if (tills.get(id)?.text === '') inventory(id, { state: 'own' });
    fleet.drain();
  };
  for (const { id } of terminals) come(id);

  /** One command is done as a till would do it. */
  function answer(id: string, command: string, applied: Applied): void {
    const till = tills.get(id);
    if (till === undefined) throw new Error(`no till ${id}`);
    const { name, version, sha256, packed } = applied;
    const of = { name, version, sha256 };
    till.seen.push(version);
    event(id, 'configuration', { what: 'trial', ...of, reason: 'asked for' });
    if (till.works) {
      till.text = inflateRawSync(Buffer.from(packed, 'base64')).toString();
      event(id, 'configuration', { what: 'kept', ...of, reason: 'everything is ready' });
      inventory(id, { state: 'kept', ...of });
    } else {
      event(id, 'configuration', { what: 'rolled_back', ...of, reason: 'sale was not ready' });
    }
    const state = till.works ? 'succeeded' : 'failed';
    const reason = till.works ? 'kept' : 'sale was not ready: back on the last good one';
    rig.terminals.results(id, { commandId: command, state, reason, timeMs: saidMs, detail: of });
  }
  /** Commands that were sent and not answered, by terminal. */
  const asked = () => {
    const open = commands.list({ state: 'sent', limit: 100 });
    return open.filter(({ kind }) => kind === 'apply');
  };
  const parsed = must(parsePublicKey(publicKeyText(createPublicKey(rig.privateKey))));
  const keys = new Map([[parsed.keyId, parsed.key]]);
  const packedOf = (command: string): Applied => {
    for (const { bytes } of rig.sent.toReversed()) {
      const read = must(verifyCommand(bytes, keys));
      if (read.id === command) return read.arguments as Applied;
    }
    throw new Error('it was not sent');
  };
  const turn = (): number => {
    const open = asked();
    for (const { id, terminal } of open) answer(terminal, id, packedOf(id));
    fleet.drain();
    return open.length;
  };
  /** Each wave is answered until there is none any more. */
  const finish = (): number[] => {
    const waves: number[] = [];
    for (let quiet = 0; quiet < 3; ) {
      const count = turn();
      if (count > 0) waves.push(count);
      quiet = count > 0 ? 0 : quiet + 1;
      time.pass(1_000);
    }
    return waves;
  };
  const API = '/api/v1/configurations';
  const plan = async (name: string, body: object, headers = {}) => {
    const said = { reason: 'T-100', ...body };
    const reply = await post(`${API}/${name}/plan`, said, headers);
    return { status: reply.statusCode, ...reply.json<PlanView & { detail: string }>() };
  };
  const start = async ({ version, count }: PlanView, body: object = {}, headers = {}) => {
    // What a person has typed is the number: it stands for the words.
    const wish = { count, reason: 'T-100', confirm: `apply ${count}`, ...body };
    const path = `${API}/${version.name}/versions/${version.version}/start`;
    const reply = await post(path, wish, headers);
    return { status: reply.statusCode, ...reply.json<VersionView & { detail: string }>() };
  };
  const apply = async (name: string, body: object) => {
    const planned = await plan(name, body);
    if (planned.status !== 201) throw new Error(planned.detail);
    const started = await start(planned);
    if (started.status !== 202) throw new Error(started.detail);
    return finish();
  };
  const rollback = async (name: string, body: object = {}) => {
    const reply = await post(`${API}/${name}/rollback`, { reason: 'T-101', ...body });
    return { status: reply.statusCode, ...reply.json<PlanView & { detail: string }>() };
  };
  const show = async (name: string) => (await get(`${API}/${name}`)).json<DocumentView>();
  const till = (id: string): Till => tills.get(id) as Till;
  return { ...rig, tills, till, come, asked, turn, finish, plan, start, apply, rollback, show };
}
