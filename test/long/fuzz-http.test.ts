// Mutated HTTP requests against a real broker, in a process of its own. Who has no token gets nothing but what is open
// for everybody, who has one breaks nothing: no answer of 500, no crash, no memory that grows, and only commands that a
// whole request asked for. TILLWATCH_FUZZ_REQUESTS says how many; 200 000 is the whole.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bench, openBench, type Running } from '../real/broker-rig.ts';
import { amount, createDice, readSeeds } from './fuzz/mutate.ts';

const REQUESTS = amount('TILLWATCH_FUZZ_REQUESTS', 8_000);
const SEED = amount('TILLWATCH_FUZZ_SEED', 20_261_122);
const AT_ONCE = 32;
/** A broken one may leave the broker waiting for the rest: it is hung up, as the broker would later. */
const SILENT_MS = 400;
const GROWTH_BYTES_MAX = 96 * 2 ** 20;

let bench: Bench;
let broker: Running;
let token: string;
let port: number;
beforeAll(async () => {
  bench = openBench();
  broker = await bench.start(bench.configure());
  token = readFileSync(bench.data('api-token'), 'utf8').trim();
  port = Number(new URL(broker.url).port);
});
afterAll(() => bench?.close());

const residentBytes = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${broker.child.pid}/status`, 'utf8'))?.[1]) *
  1024;

const say = (method: string, path: string, key: string, body?: unknown): Buffer => {
  const text = body === undefined ? '' : JSON.stringify(body);
  const length =
    body === undefined
      ? ''
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  const auth = key === '' ? '' : `Authorization: Bearer ${key}\r\n`;
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${auth}${length}Connection: close\r\n\r\n${text}`,
  );
};
const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'it hangs' };
const enrol = {
  token: { id: '0'.repeat(16), secret: 'x' },
  terminal: 'lane-1',
  csr: 'x',
  machine: 'a'.repeat(16),
};

function corpus(key: string): Buffer[] {
  const gets = [
    ...['fleet', 'terminals?limit=5', 'terminals/lane-1', 'events?limit=5&since=1', 'commands'],
    ...[
      'audit?operator=kim&limit=3',
      'audit/head',
      'audit/export',
      'logs',
      'openapi.json',
      'operators',
    ],
    ...['bulk', 'notices', 'sinks', 'terminals/lane-1/history?name=pos_host_load1'],
  ].map((path) => say('GET', `/api/v1/${path}`, key));
  return [
    ...gets,
    ...['/healthz', '/metrics', '/metrics/terminals'].map((path) => say('GET', path, key)),
    say('POST', '/api/v1/terminals/lane-1/commands', key, restart),
    say('POST', '/api/v1/terminals/lane-1/logs', key, { sinceMs: 1, untilMs: 2, reason: 'a look' }),
    say('POST', '/api/v1/session', key, { token: 'two1.kim.xxxxxxxx' }),
    say('POST', '/api/v1/operators', key, { name: 'eve', role: 'viewer' }),
    say('POST', '/api/v1/bulk', key, {
      kind: 'restart',
      arguments: { component: 'sale' },
      selector: { store: 'store-1' },
    }),
    say('POST', '/enrolment/v1/certificates', key, enrol),
    say('DELETE', '/api/v1/commands/2f1d7c4e-8f0a-4a5e-9d3b-0c1b2a394857?reason=no', key),
    ...readSeeds('http'),
  ];
}

function send(bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ host: '127.0.0.1', port });
    const silent = setTimeout(() => socket.destroy(), SILENT_MS);
    socket.on('data', (part) => {
      if (said.length < 20_000) said += part.toString('latin1');
      // The live stream never ends.
      if (said.length >= 20_000 || said.includes('text/event-stream')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(silent);
      resolve(said);
    });
    // With the end of what is said: else the broker waits for the rest of half of them.
    socket.end(bytes);
  });
}

/**
 * What is open without a token, with plainText also the metrics. Node reads several blanks as one, and the router takes
 * `*` for the first `/`; the role of the route that is found holds all the same.
 */
const OPEN = /^(GET|HEAD|OPTIONS) +[/*]+(healthz|readyz|metrics|api\/v1\/openapi\.json)/;

it(`${REQUESTS} mutated requests: no crash, no 500, nothing for nobody`, {
  timeout: 3_600_000,
}, async () => {
  const dice = createDice(SEED);
  const [stranger, known] = [corpus('x'.repeat(43)), corpus(token)];
  const nobody = corpus('');
  const statuses = new Map<string, number>();
  let [sent, unanswered, residentFirst] = [0, 0, 0];
  const wrong: string[] = [];
  const lane = async (): Promise<void> => {
    while (sent < REQUESTS) {
      sent += 1;
      const seeds = dice.of([stranger, known, nobody]);
      const isKnown = seeds === known;
      const bytes = dice.mutate(dice.of(seeds), seeds);
      const said = await send(bytes);
      const status = /^HTTP\/1\.1 (\d{3})/.exec(said)?.[1] ?? 'none';
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 'none') unanswered += 1;
      const first = bytes.toString('latin1').split('\r\n', 1)[0] ?? '';
      const isTaken = status.startsWith('2') && !isKnown && !OPEN.test(first);
      // A splice of two may hold the good token: then somebody asked who may.
      const isAnybody = isTaken && !bytes.includes(token);
      if ((status.startsWith('5') && status !== '503') || isAnybody) {
        wrong.push(`${status} for ${bytes.toString('hex').slice(0, 2_000)}`);
      }
      if (residentFirst === 0 && sent > REQUESTS / 4) residentFirst = residentBytes();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const grown = residentBytes() - residentFirst;
  const shown = JSON.stringify(Object.fromEntries([...statuses].sort()));
  const note = `seed ${SEED}: ${sent} requests, ${unanswered} hung up, ${Math.round(grown / 1024)} KiB more, ${shown}`;
  process.stdout.write(`${note}\n`);
  expect(wrong, note).toEqual([]);
  expect(broker.child.exitCode).toBeNull();
  expect((await fetch(`${broker.url}/healthz`)).status).toBe(200);
  expect(grown, note).toBeLessThan(GROWTH_BYTES_MAX);
  const log = readFileSync(bench.data('broker.log'), 'utf8');
  expect(log).not.toContain('a request failed');
  const ours = { headers: { authorization: `Bearer ${token}` } };
  const audit = await fetch(`${broker.url}/api/v1/audit?action=command&limit=1000`, ours);
  const { entries } = (await audit.json()) as { entries: { operator: string; outcome: string }[] };
  for (const { operator, outcome } of entries) {
    if (outcome === 'queued') expect(operator).not.toBe('unknown');
  }
});
