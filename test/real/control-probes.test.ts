// Probes of each kind against real servers and programs, healthy, sick, slow and silent.

import { createServer, type Server } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
} from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { realPorts } from '../../agent/system.ts';
import { type Probe, type ProbeSpec, startProbe } from '../../agent/watchdog/probes.ts';
import { scan } from '../../agent/watchdog/tree.ts';

type Seen = { ok: boolean; reason: string };
const real = realPorts();
const probes: Probe[] = [];
const servers: (Server | TcpServer)[] = [];
let warnings: string[] = [];
const log = {
  info: () => undefined,
  warn: (message: string, fields?: Record<string, unknown>) =>
    warnings.push(`${message}: ${fields?.['reason']}`),
  error: () => undefined,
};
const env = { PATH: process.env['PATH'] ?? '' };

afterEach(() => {
  for (const probe of probes.splice(0)) probe.stop();
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  }
  warnings = [];
});

async function listen(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
function watch(spec: ProbeSpec): { seen: Seen[]; probe: Probe } {
  const seen: Seen[] = [];
  const ports = { ...real, log };
  const probe = startProbe(spec, ports, (ok, reason) => seen.push({ ok, reason }), { env });
  probes.push(probe);
  return { seen, probe };
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function first(seen: readonly Seen[], count = 1): Promise<Seen | undefined> {
  for (let n = 0; n < 2_000 && seen.length < count; n += 1) await pause(5);
  return seen[0];
}
const rhythm = { everyMs: 50, timeoutMs: 2_000 };
const short = { everyMs: 50, timeoutMs: 200 };

describe('an http probe', () => {
  const asking = async (server: Server, timing = rhythm) =>
    watch({ kind: 'http', url: `http://127.0.0.1:${await listen(server)}/healthz`, ...timing });

  it('is content with 2xx and 3xx and follows nothing', async () => {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url ?? '');
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const { seen } = await asking(server);
    expect(await first(seen, 3)).toEqual({ ok: true, reason: 'status 302' });
    expect(new Set(paths)).toEqual(new Set(['/healthz']));
  });

  it('fails by status, by refusal and by silence', async () => {
    const sick = await asking(createServer((_, response) => response.writeHead(503).end()));
    const port = await listen(createServer());
    await new Promise((resolve) => servers.at(-1)?.close(resolve));
    const nobody = watch({ kind: 'http', url: `http://127.0.0.1:${port}/`, ...rhythm });
    const silent = await asking(createServer(), short);
    expect(await first(sick.seen)).toEqual({ ok: false, reason: 'status 503' });
    expect(await first(nobody.seen)).toEqual({ ok: false, reason: 'ECONNREFUSED' });
    expect(await first(silent.seen)).toEqual({ ok: false, reason: 'no answer within 200 ms' });
  });

  it('fails when the answer begins and never ends', async () => {
    const server = createServer((_, response) => response.write('begun'));
    const { seen } = await asking(server, short);
    expect(await first(seen)).toMatchObject({ ok: false });
  });

  it('does not read an endless page to its end', async () => {
    const server = createServer((_, response) => {
      const more = () => {
        while (response.writable && response.write('x'.repeat(8_192)));
      };
      response.on('drain', more);
      more();
    });
    const { seen } = await asking(server);
    expect(await first(seen)).toEqual({ ok: true, reason: 'status 200' });
  });

  it('asks one question at a time, and not as a machine gun', async () => {
    let open = 0;
    let most = 0;
    const server = createServer((_, response) => {
      open += 1;
      most = Math.max(most, open);
      response.on('close', () => {
        open -= 1;
      });
    });
    const { seen } = await asking(server, { everyMs: 10, timeoutMs: 100 });
    await first(seen, 4);
    expect(most).toBe(1);
  });

  it('throws away what was in flight when told so, and asks again', async () => {
    let calls = 0;
    const server = createServer((_, response) => {
      calls += 1;
      if (calls > 1) response.end();
    });
    const { seen, probe } = await asking(server, { everyMs: 50, timeoutMs: 60_000 });
    for (let n = 0; n < 500 && calls === 0; n += 1) await pause(5);
    probe.dropInFlight();
    expect(await first(seen)).toEqual({ ok: true, reason: 'status 200' });
  });

  it('says nothing after it was stopped', async () => {
    const { seen, probe } = await asking(createServer((_, response) => response.end()));
    await first(seen);
    probe.stop();
    const count = seen.length;
    await pause(150);
    expect(seen).toHaveLength(count);
  });

  it('does not count a timeout that came late because we stood still', async () => {
    const { seen } = await asking(createServer(), { everyMs: 50, timeoutMs: 300 });
    await pause(150);
    const untilMs = performance.now() + 700;
    while (performance.now() < untilMs);
    await pause(50);
    expect(seen).toEqual([]);
    expect(await first(seen)).toMatchObject({ ok: false });
  });
});

describe('a tcp probe', () => {
  it('is content with a connection', async () => {
    const port = await listen(createTcpServer((socket) => socket.resume()));
    const { seen } = watch({ kind: 'tcp', host: '127.0.0.1', port, ...rhythm });
    expect(await first(seen, 2)).toEqual({ ok: true, reason: 'connected' });
  });

  it('fails where nobody listens', async () => {
    const port = await listen(createTcpServer());
    await new Promise((resolve) => servers.at(-1)?.close(resolve));
    const { seen } = watch({ kind: 'tcp', host: '127.0.0.1', port, ...rhythm });
    expect(await first(seen)).toEqual({ ok: false, reason: 'ECONNREFUSED' });
  });
});

describe('an exec probe', () => {
  it('is content with exit code 0 and says any other', async () => {
    const good = watch({ kind: 'exec', command: ['true'], ...rhythm });
    const bad = watch({ kind: 'exec', command: ['sh', '-c', 'exit 3'], ...rhythm });
    expect(await first(good.seen, 2)).toEqual({ ok: true, reason: 'exit code 0' });
    expect(await first(bad.seen)).toEqual({ ok: false, reason: 'exit code 3' });
  });

  it('ends the whole group of one that takes too long, each time', async () => {
    const command = ['sh', '-c', 'sleep 999.125 & sleep 999.125']; // a length nobody else sleeps
    const mine = () =>
      scan(real.files).filter(
        ({ comm, pid }) =>
          comm === 'sleep' && real.files.read(`/proc/${pid}/cmdline`)?.includes('999.125'),
      ).length;
    const { seen, probe } = watch({ kind: 'exec', command, ...short });
    expect(await first(seen, 3)).toEqual({ ok: false, reason: 'no answer within 200 ms' });
    expect(mine()).toBeLessThanOrEqual(2);
    probe.stop();
    for (let n = 0; n < 200 && mine() > 0; n += 1) await pause(5);
    expect(mine()).toBe(0);
  });

  const sleepers = (seconds: string) =>
    scan(real.files).filter(
      ({ comm, pid }) =>
        comm === 'sleep' && real.files.read(`/proc/${pid}/cmdline`)?.includes(seconds),
    );
  const gone = async (seconds: string) => {
    for (let n = 0; n < 200 && sleepers(seconds).length > 0; n += 1) await pause(5);
    const left = sleepers(seconds);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    return left.length === 0;
  };

  it('leaves nothing of one that answers and has something run on', async () => {
    const command = ['sh', '-c', 'sleep 999.126 & exit 0'];
    const { seen, probe } = watch({ kind: 'exec', command, ...rhythm });
    expect(await first(seen, 5)).toEqual({ ok: true, reason: 'exit code 0' });
    probe.stop();
    expect(await gone('999.126')).toBe(true);
  });

  it('ends what left the group of one that takes too long and ignores TERM', async () => {
    const command = ['sh', '-c', 'trap "" TERM; setsid sleep 999.127 & sleep 999.127; wait'];
    const { seen, probe } = watch({ kind: 'exec', command, ...short });
    await first(seen, 3);
    probe.stop();
    expect(await gone('999.127')).toBe(true);
  });

  it('that cannot be run is told in the log once and proves nothing', async () => {
    const { seen } = watch({
      kind: 'exec',
      command: ['/no/such/probe'],
      everyMs: 10,
      timeoutMs: 500,
    });
    await pause(300);
    expect(seen).toEqual([]);
    expect(warnings).toEqual(['probe: could not be asked: cannot start /no/such/probe: ENOENT']);
  });
});
