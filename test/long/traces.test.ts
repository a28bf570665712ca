// A real agent, a real broker and a collector that decodes OTLP by itself: one trace for an incident and one for a
// command, from end to end, whoever is killed in the middle, and after a collector that was away.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { fault, Rig, until } from '../real/agent-rig.ts';
import { openReceiver, type Received, type Receiver } from '../unit/otlp-receiver.ts';

let rig: Rig;
let receiver: Receiver;
let broker: ChildProcess | undefined;
let ports = { mqttPort: 0, httpPort: 0, url: '' };
let token = '';

async function startBroker(): Promise<void> {
  const dataDir = join(rig.folder, 'broker');
  mkdirSync(dataDir, { recursive: true });
  const at = (port: number) => ({ host: '127.0.0.1', port });
  const file = join(rig.folder, 'broker.yaml');
  const terminals = [{ id: 'lane-1', store: 's-1' }];
  const sinks = { traces: { url: receiver.url, timeoutMs: 2_000 } };
  const places = { mqtt: at(ports.mqttPort), http: at(ports.httpPort) };
  writeFileSync(file, stringify({ dataDir, plainText: true, ...places, terminals, sinks }));
  const ready = join(dataDir, 'broker.json');
  rmSync(ready, { force: true });
  broker = spawn(process.execPath, [resolve('broker/main.ts'), '--config', file], {
    stdio: 'ignore',
  });
  await until('the broker is there', () => existsSync(ready));
  ports = JSON.parse(readFileSync(ready, 'utf8'));
  token = readFileSync(join(dataDir, 'api-token'), 'utf8').trim();
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  const gone = new Promise((done) => child?.once('exit', done));
  if (child?.kill('SIGKILL')) await gone;
}

function startTill(): void {
  const key = readFileSync(join(rig.folder, 'broker', 'command-key.pub'), 'utf8').trim();
  rig.configure([fault('sale')], {
    broker: { plainText: true, host: '127.0.0.1', port: ports.mqttPort },
    link: { reconnectMsMin: 50, reconnectMsMax: 200 },
    trust: { commandKeys: [key] },
    sampling: { everyMs: 1_000, sendMs: 1_000 },
  });
  void rig.start();
}

beforeEach(async () => {
  rig = new Rig();
  receiver = await openReceiver();
  ports = { mqttPort: 0, httpPort: 0, url: '' };
  await startBroker();
  startTill();
});
afterEach(async () => {
  await kill(broker);
  await rig.clean();
  await receiver.close();
});

async function ask<T>(path: string, body?: object): Promise<T> {
  const response = await fetch(`${ports.url}/api/v1/${path}`, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  });
  return (await response.json()) as T;
}

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const untilMs = performance.now() + 30_000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (performance.now() > untilMs) throw new Error(`never happened: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

type Incident = { kind: string; fields: { incident: string; trace: string; cause: string } };
const incidentOf = (kind: string): Promise<Incident> =>
  eventually(kind, async () => {
    const { events } = await ask<{ events: Incident[] }>('events?terminal=lane-1&limit=500');
    return events.find((event) => event.kind === kind);
  });

const inTrace = (trace: string): Received[] =>
  receiver.spans.filter(({ traceId }) => traceId === trace);
const spanNamed = (trace: string, name: string): Promise<Received> =>
  until(
    `the span ${name} arrives`,
    () => inTrace(trace).find((span) => span.name === name),
    20_000,
  );

/** Every span once, each within its root and a child of it. */
/** @param offNs between two agents: each has its own estimate of the broker's time. */
function expectWhole(trace: string, root: Received, offNs = 0n): void {
  const spans = inTrace(trace);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
  for (const span of spans) {
    if (span === root) continue;
    expect([span.name, span.parentSpanId]).toEqual([span.name, root.spanId]);
    const isIn = [span.startNs >= root.startNs - offNs, span.endNs <= root.endNs + offNs];
    expect([span.name, ...isIn]).toEqual([span.name, true, true]);
  }
}

const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'a test of traces' };
const stateOf = async (id: string): Promise<string> =>
  (await ask<{ state: string }>(`commands/${id}`)).state;

describe('a component that hangs', () => {
  it('leaves one trace, in order, from its last sign of health until it is ready', async () => {
    const begunMs = Date.now();
    process.kill(await rig.ready('sale'), 'SIGSTOP');
    const { fields } = await incidentOf('incident_recovered');
    expect(fields.trace).toBe(fields.incident.replaceAll('-', ''));
    const root = await spanNamed(fields.trace, 'incident');
    expectWhole(fields.trace, root);
    const spans = inTrace(fields.trace)
      .filter((span) => span !== root)
      .sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0));
    const firsts = [...new Set(spans.map(({ name }) => name))];
    expect(firsts).toEqual([
      'failure',
      'suspicion',
      'evidence',
      'decision',
      'kill',
      'start',
      'ready',
    ]);
    expect(root.attributes).toMatchObject({
      'tillwatch.component': 'sale',
      'tillwatch.cause': 'hang',
      'tillwatch.incident': fields.incident,
    });
    expect(root.resource).toMatchObject({
      ...{ 'service.name': 'tillwatch-agent', terminal: 'lane-1', store: 's-1' },
      ...{ 'host.name': 'lane-1', 'service.instance.id': 'lane-1' },
    });
    const [startMs, endMs] = [root.startNs, root.endNs].map((ns) => Number(ns / 1_000_000n));
    expect(startMs).toBeGreaterThan(begunMs - 2_000);
    expect(endMs).toBeLessThan(Date.now() + 1_000);
    expect(inTrace(fields.trace).filter(({ name }) => name === 'incident').length).toBe(1);
  });
});

describe('a command', () => {
  it('leaves one trace from the request to the result, and the CLI names it', async () => {
    await rig.ready('sale');
    const said = await new Promise<string>((done) => {
      const argv = ['restart', 'lane-1', 'sale', '--reason', restart.reason];
      const env = { ...process.env, TILLWATCH_URL: ports.url, TILLWATCH_API_TOKEN: token };
      execFile(process.execPath, [resolve('cli/tillwatch.ts'), ...argv], { env }, (_, out, err) =>
        done(out + err),
      );
    });
    const trace = /^trace ([0-9a-f]{32})$/m.exec(said)?.[1] ?? said;
    const root = await spanNamed(trace, 'command restart');
    await spanNamed(trace, 'execute');
    expectWhole(trace, root);
    expect(
      inTrace(trace)
        .map(({ name, resource }) => `${resource['service.name']}: ${name}`)
        .sort(),
    ).toEqual([
      'tillwatch-agent: execute',
      'tillwatch-agent: receive',
      'tillwatch-broker: command restart',
      'tillwatch-broker: deliver',
      'tillwatch-broker: queue',
      'tillwatch-broker: request',
      'tillwatch-broker: result',
    ]);
    expect(root.status).toMatchObject({ code: 1 });
  });
});

/** What the agent keeps of traces that are not over; an incident's trace is named after it. */
function openTraces(): string {
  const path = join(rig.folder, 'data', 'traces.json');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

describe('agent and broker that are killed, and a collector that is away meanwhile', () => {
  it('lose no span and double none', async () => {
    receiver.answer = () => ({ status: 503 });
    const pid = await rig.ready('sale');
    const { id, trace } = await ask<{ id: string; trace: string }>(
      'terminals/lane-1/commands',
      restart,
    );
    await eventually('it is done', async () =>
      (await stateOf(id)) === 'succeeded' ? true : undefined,
    );
    await kill(broker);
    // Nobody is there to be told of it.
    const second = await until('it runs anew', () => rig.copies('sale').find((one) => one !== pid));
    process.kill(second, 'SIGSTOP');
    const { incident } = await until('the incident is open', () =>
      rig.lines('sale').find(({ message }) => message.includes('incident opened')),
    );
    // Killed within the milliseconds before this, it would have no root: that is a known limit.
    await until('the next agent can know of it', () => openTraces().includes(String(incident)));
    await kill(rig.agent);
    startTill();
    await until('the next agent has it ready', () =>
      rig.copies('sale').find((one) => one !== pid && one !== second),
    );
    await startBroker();
    const { fields } = await incidentOf('incident_opened');
    receiver.answer = () => undefined;
    const root = await spanNamed(fields.trace, 'incident');
    const command = await spanNamed(trace, 'command restart');
    await spanNamed(trace, 'execute');
    await spanNamed(trace, 'receive');
    for (const [name, whole] of [
      [fields.trace, root],
      [trace, command],
    ] as const) {
      expectWhole(name, whole, 100_000_000n);
    }
    const names = inTrace(fields.trace).map(({ name }) => name);
    for (const name of ['failure', 'suspicion', 'decision']) expect(names).toContain(name);
    expect(inTrace(trace).length).toBe(7);
  });
});
