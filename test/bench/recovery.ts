// How long a till is without a component: a real one (sale, with its database and HTTP service) is
// crashed, stopped, deadlocked and spun, n times each, under the shipped settings. Times are the
// bench's own: from the injection to the agent's decision (its event), and to the first answer of the
// new process on its port. Only backoff and budget are relaxed, so that n failures of one till in a
// few minutes are n first failures and not a crash loop.

import { request } from 'node:http';
import { measurePressure, type Report, round, sleep, spread, until } from './harness.ts';
import { NOTICE_NOTE, NOTICE_TARGETS, noticing } from './notice.ts';
import type { Options } from './options.ts';
import { runPeers } from './peers/run.ts';
import { table } from './peers/table.ts';
import { type EventRow, type Rig, startRig } from './rig.ts';

const SALES = 3;
const RELAXED = {
  backoff: { minMs: 250, maxMs: 30_000, stableMs: 500 },
  budget: { restarts: 1_000, windowMs: 300_000, retryMs: 60_000 },
};

const JSON_BODY = { 'content-type': 'application/json' };

type Fault = 'crash' | 'stop' | 'deadlock' | 'spin';
type Times = { detectedMs: number; readyMs: number };

function call(port: number, method: string, path: string, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const req = request(
      { host: '127.0.0.1', port, method, path, agent: false, timeout: 500, headers: JSON_BODY },
      (res) => {
        res.resume();
        res.once('end', () => resolve(res.statusCode ?? 0));
      },
    );
    req.once('timeout', () => req.destroy(new Error('timeout')));
    req.once('error', reject);
    req.end(body);
  });
}

function inject(fault: Fault, pid: number, port: number): void {
  if (fault === 'crash') process.kill(pid, 'SIGKILL');
  else if (fault === 'stop') process.kill(pid, 'SIGSTOP');
  else {
    const kind = fault === 'spin' ? 'hang' : 'deadlock';
    // It never answers: that is the point.
    call(port, 'POST', '/fault', JSON.stringify({ kind })).catch(() => undefined);
  }
}

async function once(
  rig: Rig,
  name: string,
  fault: Fault,
  cursor: { after: number },
): Promise<Times> {
  const before = await rig.component(name);
  await sleep(1_000 + Math.random() * 500);
  for (const event of await rig.events(cursor.after)) cursor.after = event.id;
  const startMs = Date.now();
  inject(fault, before.pid, before.port);
  const opened = await until<EventRow>('the incident', async () =>
    (await rig.events(cursor.after)).find(
      (e) => e.kind === 'incident_opened' && e.component === name,
    ),
  );
  const next = await until('the new process', async () => {
    const now = await rig.component(name);
    return now.pid === before.pid ? undefined : now;
  });
  await until('its first answer', async () =>
    (await call(next.port, 'GET', '/healthz').catch(() => 0)) === 200 ? true : undefined,
  );
  const recovered = await until<EventRow>('the recovery', async () =>
    (await rig.events(cursor.after)).find(
      (e) => e.kind === 'incident_recovered' && e.component === name,
    ),
  );
  return { detectedMs: opened.timeMs - startMs, readyMs: recovered.timeMs - startMs };
}

async function series(rig: Rig, fault: Fault, n: number): Promise<Times[]> {
  const cursor = { after: 0 };
  const times: Times[] = [];
  for (let i = 0; i < n; i += 1) {
    const result = await once(rig, `sale-${(i % SALES) + 1}`, fault, cursor);
    times.push(result);
    console.error(
      `${fault} ${i + 1}/${n}: detected ${result.detectedMs} ms, ready ${result.readyMs} ms`,
    );
  }
  return times;
}

const summary = (times: readonly Times[]) => ({
  detectedMs: spread(times.map((t) => round(t.detectedMs))),
  readyMs: spread(times.map((t) => round(t.readyMs))),
});

const PEERS_N = 5;

async function besidePeers({ n = PEERS_N, only }: Options): Promise<Report> {
  const pressure = measurePressure();
  const outcome = await runPeers({ n, only });
  const cpuPressurePercent = pressure();
  return {
    name: 'recovery beside other supervisors',
    figures: { n, cpuPressurePercent, ...outcome.peers, skipped: outcome.skipped },
    table: table(outcome),
    targets: {
      'tillwatch.faults.stop.detectedMs.p95': 2_500,
      'tillwatch.faults.stop.readyMs.p95': 3_500,
      'tillwatch.faults.deadlock.detectedMs.p95': 2_500,
      'tillwatch.faults.deadlock.readyMs.p95': 3_500,
      'tillwatch.faults.spin.detectedMs.p95': 5_500,
      'tillwatch.faults.spin.readyMs.p95': 6_500,
      'tillwatch.computed.killed': 0,
      'blackBox.computed.killed': 0,
      'blackBox.faults.stop.detectedMs.p95': 5_000,
      'blackBox.faults.stop.readyMs.p95': 6_000,
      'blackBox.faults.deadlock.readyMs.p95': 6_000,
      'blackBox.faults.spin.detectedMs.p95': 5_000,
      'blackBox.faults.spin.readyMs.p95': 6_000,
    },
    notes: [
      `something waited for a processor ${cpuPressurePercent} % of the time; a quiet machine has under 20 %`,
      'the same program under each, one after the other on this machine; each hang that was never',
      'found was asked once. A crash counts from the last act of the program, a hang from what caused',
      'it, both to the first answer of the next process. Tillwatch with its shipped defaults; only',
      'backoff and budget are relaxed, so that n failures in minutes are n first failures.',
    ],
  };
}

export async function run(options: Options): Promise<Report> {
  if (options.peers) return besidePeers(options);
  const n = options.n ?? 20;
  const noticed = await noticing(n);
  const rig = await startRig(SALES, RELAXED);
  try {
    const crash = await series(rig, 'crash', n);
    const stop = await series(rig, 'stop', Math.ceil(n / 2));
    const deadlock = await series(rig, 'deadlock', Math.ceil(n / 2));
    const spin = await series(rig, 'spin', n);
    return {
      name: 'recovery',
      figures: {
        noticed,
        crash: summary(crash),
        hang: summary([...stop, ...deadlock]),
        spin: summary(spin),
      },
      targets: {
        ...NOTICE_TARGETS,
        'hang.detectedMs.p95': 2500,
        'hang.readyMs.p95': 3500,
        'spin.detectedMs.p95': 5500,
        'spin.readyMs.p95': 6500,
      },
      notes: [
        'hang: main thread stopped (SIGSTOP) or deadlocked (Atomics.wait), half each; spin: a busy loop',
        NOTICE_NOTE,
        'detected: injection to the confirmed incident; ready: injection to serving again; wall clock, 1 ms',
      ],
    };
  } finally {
    await rig.close();
  }
}
