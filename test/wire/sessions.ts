// Two sessions of a real agent with a real broker, one in plain text and one under TLS: a store without a line that gets
// one, a component that dies, commands and requests for logs, enrolment and renewal, and batches that a broker has to
// refuse. What is said meanwhile is the recording.

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMachine, startEnrol } from '../../agent/system/enrol-child.ts';
import { loadIdentity } from '../../agent/system/identity-folder.ts';
import { systemTimers } from '../../broker/clock.ts';
import { paths } from '../../broker/trust/state.ts';
import { FINAL_STATES } from '../../protocol/commands.ts';
import { ackTopic, upTopic } from '../../protocol/topics.ts';
import { decodeBatch, encodeBatch } from '../../protocol/wire.ts';
import { fault, Rig, until } from '../real/agent-rig.ts';
import { openBench } from '../real/broker-rig.ts';
import {
  connectPacket,
  dial,
  openFleetRig,
  publishPacket,
  subscribePacket,
} from '../real/trust-rig.ts';
import { fromBase64, type Line, type Session } from './recording.ts';
import { startPlainTap, startSecureTap, type Tap } from './tap.ts';
import { must, toldBy } from './told.ts';

type Recorded = Session & { readonly lines: readonly Line[] };
/** POST with a body, GET without. */
type Api = (path: string, body?: unknown) => Promise<Record<string, unknown>>;

/** Quick, so that a session takes seconds: what is said is the same. */
const QUICK = {
  sampling: { everyMs: 500, sendMs: 1_000 },
  link: { reconnectMsMin: 100, reconnectMsMax: 500 },
};
const REASON = 'a recording';
const DAY_MS = 86_400_000;

/** Of commands and of requests for logs. */
const ENDED: readonly string[] = [...FINAL_STATES, 'complete', 'cancelled'];

const count = (tap: Tap, what: Line['what']): number =>
  tap.lines.filter((line) => line.what === what).length;

/** What an operator does to a till in a day, and what becomes of it. */
async function operate(api: Api, terminal: string): Promise<void> {
  const ended = async (path: string, id: string): Promise<void> => {
    for (let looks = 0; looks < 100; looks += 1) {
      const { state } = await api(`${path}/${id}`);
      if (ENDED.includes(String(state))) return;
      await sleep(150);
    }
    throw new Error(`${path}/${id} has not ended`);
  };
  const command = async (kind: string, args: object = {}): Promise<void> => {
    const { id, detail } = await api(`terminals/${terminal}/commands`, {
      kind,
      arguments: args,
      reason: REASON,
    });
    if (id === undefined) throw new Error(`${kind}: ${String(detail)}`);
    await ended('commands', String(id));
  };
  await command('probe', { component: 'sale' });
  await command('log_level', { component: 'agent', level: 'debug', forMs: 60_000 });
  await command('restart', { component: 'sale', force: true });
  await command('hold', { forMs: 60_000 });
  await command('release');
  await command('reset_budget');
  await command('reboot');
  await command('unquarantine', { component: 'sale' });
  const now = Date.now();
  const lines = { components: ['sale'], sinceMs: now - DAY_MS, untilMs: now, reason: REASON };
  const asked = await api(`terminals/${terminal}/logs`, lines);
  await ended('logs', String(asked['id']));
  const tail = await api(`terminals/${terminal}/tail`, {
    components: ['sale'],
    forMs: 30_000,
    reason: REASON,
  });
  await command('restart', { component: 'sale', force: true });
  await sleep(1_000);
  await api(`logs/${String(tail['id'])}/cancel`, { reason: REASON });
  await ended('logs', String(tail['id']));
}

/** @throws where it ends at once, with what it said. */
async function begin(rig: Rig): Promise<void> {
  const ended = rig.start();
  const said = await Promise.race([ended, sleep(500)]);
  if (said !== undefined) throw new Error(`the agent ended: ${said.stderr}`);
}

/** A line that comes after a while, and a component that dies: backlog, incident, trace. */
async function live(tap: Tap, rig: Rig): Promise<void> {
  const pid = await rig.ready('sale');
  await sleep(3_000);
  tap.open(true);
  await until('acknowledged', () => count(tap, 'ack') > 2);
  process.kill(pid, 'SIGKILL');
  await rig.healed('sale');
  await sleep(1_500);
}

/** What no agent of ours does: a number with other bytes, a batch on another topic, and no batch at all. */
async function misbehave(port: number, terminal: string, lines: readonly Line[]): Promise<void> {
  const client = await dial({ port, plain: true });
  client.send(connectPacket(terminal, undefined));
  await client.next('connack');
  client.send(subscribePacket(terminal, ackTopic(terminal)));
  await client.next('suback');
  const first = lines.find((line) => line.what === 'batch' && line.stream === 'events');
  const bytes = first?.what === 'batch' ? fromBase64(first.data) : new Uint8Array(0);
  const batch = must(decodeBatch(bytes));
  const other = encodeBatch({ ...batch, createdMs: batch.createdMs + 1 });
  client.send(publishPacket(terminal, other, upTopic(terminal, 'events'), 11));
  client.send(publishPacket(terminal, bytes, upTopic(terminal, 'metrics'), 12));
  client.send(publishPacket(terminal, Buffer.from('nothing'), upTopic(terminal, 'events'), 13));
  await until('refused', () => client.acks().flatMap(({ refused }) => refused).length >= 2);
  await sleep(300);
  client.end();
}

const component = () => fault('sale', ['--log-lines', '40', '--fork', '1']);

export async function recordPlain(): Promise<Recorded> {
  const bench = openBench();
  const rig = new Rig();
  const taps: Tap[] = [];
  try {
    const { mqttPort, url } = await bench.start();
    const tap = await startPlainTap(mqttPort);
    // What is wrong on purpose goes through a tap of its own: it is no batch that anybody must take.
    const wrong = await startPlainTap(mqttPort);
    taps.push(tap, wrong);
    tap.open(false);
    const key = readFileSync(bench.data('command-key.pub'), 'utf8').trim();
    const broker = { plainText: true, host: '127.0.0.1', port: tap.port };
    rig.configure([component()], { ...QUICK, broker, trust: { commandKeys: [key] } });
    await begin(rig);
    await live(tap, rig);
    await operate((path, body) => bench.api(url, path, body), 'lane-1');
    rig.agent?.kill('SIGINT');
    await until('the agent ended', () => rig.agent?.exitCode !== null);
    await misbehave(wrong.port, 'lane-1', tap.lines);
    const refusals = wrong.lines.filter(({ what }) => what === 'ack');
    const lines = [...tap.lines, ...refusals];
    const about = { name: 'plain', terminal: 'lane-1', commandKeys: [key], endedMs: Date.now() };
    return { ...about, lines, told: toldBy(lines, [key]) };
  } finally {
    for (const tap of taps) tap.close();
    await rig.clean();
    await bench.close();
  }
}

function shownBy(keysDir: string, authorities: readonly string[]) {
  const text = readFileSync(paths.server(keysDir), 'utf8');
  const part = (what: string): string =>
    new RegExp(`-----BEGIN ${what}-----[^-]+-----END ${what}-----\n`).exec(text)?.[0] ?? '';
  return { key: part('PRIVATE KEY'), certificate: part('CERTIFICATE') + authorities.join('') };
}

export async function recordSecure(): Promise<Recorded> {
  const fleet = await openFleetRig();
  const rig = new Rig();
  let tap: Tap | undefined;
  try {
    const { keysDir, authorities } = fleet;
    const folder = join(rig.folder, 'data', 'identity');
    const found = () => {
      const loaded = loadIdentity(folder, 'lane-2');
      return loaded.ok ? loaded.value : undefined;
    };
    const shown = shownBy(keysDir, authorities);
    tap = await startSecureTap({ broker: shown, authorities, terminal: found });
    const proxy = `http://127.0.0.1:${tap.port}`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const token = await fleet.token('lane-2');
    const common = { folder, terminal: 'lane-2', machine: readMachine(), floorMs: 0, proxy };
    const enrol = async (job: Parameters<typeof startEnrol>[0]): Promise<void> => {
      const done = must(await startEnrol(job, systemTimers).done);
      if (!done.ok) throw new Error(done.reason);
    };
    await enrol({ kind: 'enrol', token, ...common });
    await enrol({ kind: 'renew', ...common });
    tap.open(false);
    rig.configure([component()], { ...QUICK, terminal: 'lane-2', broker: { proxy } });
    await begin(rig);
    await live(tap, rig);
    const api: Api = async (path, body) => (await fleet.api(path, body)).body;
    await operate(api, 'lane-2');
    rig.agent?.kill('SIGINT');
    await until('the agent ended', () => rig.agent?.exitCode !== null);
    const { lines } = tap;
    const keys = keysIn(lines);
    const about = { name: 'tls', terminal: 'lane-2', commandKeys: keys, endedMs: Date.now() };
    return { ...about, lines: [...lines], told: toldBy(lines, keys) };
  } finally {
    tap?.close();
    await rig.clean();
    await fleet.close();
  }
}

/** As the terminal was told them when it enrolled. */
function keysIn(lines: readonly Line[]): readonly string[] {
  for (const line of lines) {
    if (line.what !== 'https') continue;
    const { trust } = line.answer as { trust?: { commandKeys: string[] } };
    if (trust !== undefined) return trust.commandKeys;
  }
  throw new Error('nobody has enrolled');
}
