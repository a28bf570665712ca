// One document about this till, for whoever helps from afar: what runs and how it is, what was seen before actions, what
// waits to be sent, every hop on the way to the broker, certificates, clock, disk and the agent's last words. It goes
// through the redactor as a whole before it is packed, whatever its parts have passed already, and is cut from its
// log lines on until it fits. It travels as an answer to a request for logs does (agent/logs/pull/).

import { freemem, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { DIAGNOSIS_BYTES_MAX } from '../../protocol/limits.ts';
import { redactFields } from '../../redact/index.ts';
import { readNetwork } from '../absence/network.ts';
import { tillIdentity, wayOf } from '../identity/open.ts';
import { knownTime } from '../link/judge.ts';
import { savePacked } from '../logs/pull/packed.ts';
import { tryHops } from '../system/hops.ts';
import { readSpace } from '../system/space.ts';
import { AGENT_VERSION } from '../version.ts';
import { factsOf } from './certificates.ts';
import { lookAt } from './probe.ts';
import type { Desk, Of } from './types.ts';

/** Of the agent's own log, its end. */
const LOG_BYTES_MAX = 512 * 1024;
const LOG_LINES_MAX = 2_000;
const BUNDLES_TOLD_MAX = 50;

async function network({ rooms }: Desk): Promise<unknown> {
  const { config, identity, ports, outbox } = rooms;
  const { look, gateway } = readNetwork(ports.files);
  const way = wayOf(config, identity);
  if (!way.ok) return { look, gateway, reason: way.reason };
  const { time } = outbox;
  const { clock, timers } = ports;
  const known = () => knownTime(time, clock.wallMs(), identity.notBeforeMs());
  return { look, gateway, hops: await tryHops(way.value, gateway, { clock, timers, time: known }) };
}

/** The names of bundles that lie on the till, newest first; they are fetched by hand. */
function evidence({ rooms }: Desk): unknown {
  const { config, ports, ring } = rooms;
  const folder = join(config.dataDir, 'evidence');
  const bundles = ports.files
    .list(folder)
    .flatMap((component) =>
      ports.files.list(join(folder, component)).map((name) => `${component}/${name}`),
    );
  const newest = bundles.toSorted((a, b) =>
    (b.split('/')[1] ?? '').localeCompare(a.split('/')[1] ?? ''),
  );
  return { ...ring.stats(), bundles: newest.slice(0, BUNDLES_TOLD_MAX) };
}

async function disk({ rooms }: Desk): Promise<unknown> {
  const { config } = rooms;
  const { dataDir, runDir, logDir } = config;
  const [data, run, logs] = await Promise.all([dataDir, runDir, logDir].map(readSpace));
  const journal = { journal: rooms.journal.readings(), behind: rooms.intake.behind() };
  const output = rooms.output.readings();
  return { level: rooms.disk.level(), data, run, logs, output, ...journal };
}

function clocks({ rooms }: Desk): unknown {
  const { ports, outbox } = rooms;
  const { wallMs, bootMs, bootId } = ports.clock;
  const { time } = outbox;
  return {
    ...{ wallMs: wallMs(), bootMs: bootMs(), bootId: bootId() },
    ...{ isBrokerTimeKnown: time.known(), brokerMs: time.nowMs(), offsetMs: time.offsetMs() },
  };
}

function certificates({ rooms }: Desk): unknown {
  const { identity, outbox } = rooms;
  const { credentials, store, brokers } = identity.enrolment() ?? {};
  const now = outbox.time.nowMs();
  const own = credentials && factsOf(credentials.certificate, now);
  const authorities = credentials?.authorities.map((pem) => factsOf(pem, now));
  return { ...tillIdentity(rooms), store, brokers, own, authorities };
}

function lastLines({ rooms }: Desk): string[] {
  const text = rooms.ports.files.readEnd(join(rooms.config.dataDir, 'agent.log'), LOG_BYTES_MAX);
  // It began within a line: what is left of that could be half a card number.
  const lines = (text ?? '').split('\n').slice(1, -1);
  return lines.slice(-LOG_LINES_MAX);
}

/** Everything but the log lines; a part that cannot be had says why. */
async function collect(desk: Desk): Promise<Record<string, unknown>> {
  const { rooms, supervisor, hold, drills, uplink } = desk;
  const { config, outbox, log } = rooms;
  const part = async (what: string, run: () => unknown): Promise<[string, unknown]> => {
    try {
      return [what, await run()];
    } catch (error) {
      log.warn(`diagnosis: ${what} could not be had`, { cause: error });
      return [what, { reason: String(error) }];
    }
  };
  const components = supervisor.components();
  const looked = async (): Promise<unknown> => {
    const found = await Promise.all(components.map((one) => lookAt(one, desk)));
    return Object.fromEntries(components.map(({ name }, index) => [name, found[index]]));
  };
  const parts = await Promise.all([
    part('components', looked),
    part('evidence', () => evidence(desk)),
    part('queues', () => ({ outbox: outbox.stats(), link: uplink()?.linkStats() })),
    part('network', () => network(desk)),
    part('certificates', () => certificates(desk)),
    part('clock', () => clocks(desk)),
    part('disk', () => disk(desk)),
    part('hold', () => hold.view()),
    part('operation', () => supervisor.operation),
    part('drill', () => drills.what),
    part('machine', () => ({ load: loadavg(), freeBytes: freemem(), totalBytes: totalmem() })),
  ]);
  const { terminal, mode, sampling, bounds, link } = config;
  const agent = { version: AGENT_VERSION, node: process.versions.node, pid: process.pid };
  const settings = { mode, sampling, bounds, link, drills: config.drills };
  return { v: 1, terminal, agent, settings, ...Object.fromEntries(parts) };
}

/** @returns it packed, with as many of the lines as there is room for. */
async function packed(document: Record<string, unknown>, lines: readonly string[]) {
  const pack = promisify(gzip);
  for (let kept = lines.length; ; kept = Math.floor(kept / 2)) {
    const whole = { ...document, log: lines.slice(lines.length - kept) };
    const { value } = redactFields(whole);
    const bytes = await pack(Buffer.from(JSON.stringify(value)));
    if (bytes.length <= DIAGNOSIS_BYTES_MAX) return { bytes, lines: kept };
    if (kept === 0) return undefined;
  }
}

export async function diagnose(command: Of<'diagnose'>, desk: Desk): Promise<void> {
  const { rooms, done } = desk;
  const { id, expiresMs, arguments: args } = command;
  const { request } = args;
  const made = await packed(await collect(desk), lastLines(desk));
  if (made === undefined) {
    done(id, false, `the diagnosis does not fit into ${DIAGNOSIS_BYTES_MAX} bytes`);
    return;
  }
  const folder = join(rooms.config.dataDir, 'diagnoses');
  const name = `${request}.json.gz`;
  const saved = await savePacked(folder, name, made.bytes, rooms.pulls.isPinned);
  if (!saved.ok) {
    done(id, false, saved.reason);
    return;
  }
  // The pull tells the end, once the broker has it all.
  const sent = rooms.pulls.sendFile({ command: id, request, expiresMs, file: saved.value });
  if (!sent.ok) done(id, false, sent.reason);
}
