// What the self-test makes of what a database tells of itself, over real requests.

import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import { createHttpClient, type HttpClient } from '../../broker/sinks/post.ts';
import { selfTest } from '../../broker/sinks/self-test.ts';
import { createTemplates } from '../../broker/sinks/templates.ts';
import type { Verdict } from '../../broker/sinks/verdict.ts';

let server: Server | undefined;
let client: HttpClient | undefined;
afterEach(async () => {
  client?.close();
  await new Promise((resolve) => server?.close(resolve));
});

const TAKEN: Verdict = { kind: 'taken' };

/** @param pages path to JSON. @param past what it says to a sample of an hour ago. */
const ask = (pages: Readonly<Record<string, object>>, past: Verdict = TAKEN) =>
  askOf((request, response) => {
    const page = pages[request.url ?? ''];
    response.writeHead(page === undefined ? 403 : 200).end(JSON.stringify({ data: page }));
  }, past);

async function askOf(answer: RequestListener, past: Verdict = TAKEN) {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  client = createHttpClient({
    ...{ headers: {}, timeoutMs: 5_000, timers: systemTimers, nowMs: Date.now },
  });
  const url = `http://127.0.0.1:${port}/api/v1/write`;
  const verdicts = [TAKEN, past];
  const write = () => Promise.resolve(verdicts.shift() ?? TAKEN);
  const templates = createTemplates();
  return await selfTest({ name: 'db', url, client, templates, write, nowMs: Date.now });
}
const FLAGS = { '/api/v1/status/flags': { 'storage.tsdb.retention.time': '60d' } };

test('a window is found in the configuration of a Prometheus with thousands of targets', async () => {
  const targets = Array.from({ length: 20_000 }, (_, i) => `      - till-${i}:9100`).join('\n');
  const window = 'storage:\n  tsdb:\n    out_of_order_time_window: 30d\n';
  const yaml = `scrape_configs:\n  - job_name: tills\n${targets}\n${window}`;
  const found = await ask({ ...FLAGS, '/api/v1/status/config': { yaml } });
  expect(found).toEqual({ sentences: [], keepsOnce: true });
  expect(client?.drops()).toEqual({ all: 0, busy: 0 });
});

test('of a window that may not be read nothing is said, and what is taken counts', async () => {
  expect(await ask(FLAGS)).toEqual({ sentences: [], keepsOnce: true });
});

test('one that is killed in between has said nothing of what comes twice', async () => {
  const sentence = 'it cannot be reached';
  const gone = { kind: 'again', result: 'unavailable', sentence, lost: true } as const;
  expect(await ask({}, gone)).toEqual({ sentences: [sentence] });
});

test('a VictoriaMetrics killed while it tells its flags has not said that it keeps all', async () => {
  const found = await askOf((request, response) => {
    if (request.url !== '/metrics') return response.writeHead(404).end();
    // Before the flag that counts.
    return response.write('flag{name="cacheExpireDuration", value="30m0s"} 1\n', () =>
      response.destroy(),
    );
  });
  expect(found).toEqual({ sentences: [expect.stringContaining('cannot be reached')] });
});
