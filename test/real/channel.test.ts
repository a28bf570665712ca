// The component channel over a real socket: the Node client, raw connections that say garbage, and an
// agent that goes away and comes back.

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Expected } from '../../agent/channel/admission.ts';
import { type Channel, connectChannel } from '../../agent/channel/client.ts';
import { type ChannelEvent, type ChannelServer, openChannel } from '../../agent/channel/server.ts';
import { socketFiles } from '../../agent/system/disk.ts';

const timers = {
  after: (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: (ms: number, run: () => void) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

let folder: string;
let path: string;
let server: ChannelServer;
let events: ChannelEvent[];
const running = new Map<string, Expected>();
const sockets: Socket[] = [];
const channels: Channel[] = [];

async function open(): Promise<void> {
  const opened = await openChannel({
    path,
    timers,
    files: socketFiles,
    log,
    expected: (component) => running.get(component),
    onEvent: (event) => events.push(event),
  });
  if (!opened.ok) throw new Error(opened.reason);
  server = opened.value;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tw-channel-'));
  path = join(folder, 'channel.sock');
  events = [];
  running.clear();
  const sale = { instance: 'i1', token: 't1', pid: undefined, beatMs: 50, deadlineMs: 2_000 };
  running.set('sale', sale);
  await open();
});
afterEach(async () => {
  for (const channel of channels.splice(0)) channel.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
  rmSync(folder, { recursive: true });
});

async function until(what: string, check: () => boolean, withinMs = 10_000): Promise<void> {
  const start = performance.now();
  while (!check()) {
    if (performance.now() - start > withinMs)
      throw new Error(`never happened: ${what}: ${JSON.stringify(events).slice(0, 300)}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

const said = (): unknown[] => events.flatMap((e) => (e.kind === 'said' ? [e.message] : []));
const heard = (kind: string): number =>
  events.filter((e) => e.kind === 'said' && e.message.kind === kind).length;
const env = (component = 'sale', token = 't1') => ({
  TILLWATCH_SOCKET: path,
  TILLWATCH_COMPONENT: component,
  TILLWATCH_INSTANCE: 'i1',
  TILLWATCH_TOKEN: token,
});

function client(handlers: Partial<Parameters<typeof connectChannel>[0]> = {}, as = env()): Channel {
  const channel = connectChannel({ onStop: () => undefined, ...handlers }, as);
  channels.push(channel);
  return channel;
}

/** A raw connection; `lines` holds what the agent answered. */
function raw(): { socket: Socket; answer: () => string; closed: () => boolean } {
  const socket = connect({ path });
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
  });
  sockets.push(socket);
  return { socket, answer: () => text, closed: () => isClosed };
}
const hello = (change: object = {}): string =>
  `${JSON.stringify({ kind: 'hello', v: 1, role: 'main', component: 'sale', instance: 'i1', token: 't1', pid: 1, ...change })}\n`;

describe('a component on the channel', () => {
  it('says hello and ready, beats, and is told to stop', async () => {
    const stops: unknown[] = [];
    const channel = client({ onStop: (stop) => stops.push(stop) });
    channel.ready({ metricsUrl: 'http://127.0.0.1:9/metrics' });
    await until('three beats', () => heard('beat') >= 3);
    expect(events[0]).toEqual({ kind: 'connected', component: 'sale', instance: 'i1' });
    expect(said()[0]).toEqual({ kind: 'ready', metricsUrl: 'http://127.0.0.1:9/metrics' });
    expect(server.send('sale', { kind: 'stop', graceMs: 300, reason: 'closing time' })).toBe(true);
    await until('the stop arrives', () => stops.length === 1);
    expect(stops[0]).toEqual({ graceMs: 300, reason: 'closing time' });
  });

  it('reports the longest delay of its event loop', async () => {
    client();
    await until('a beat', () => heard('beat') >= 2);
    const start = performance.now();
    while (performance.now() - start < 300) {
      // The main loop is stuck for a while.
    }
    await until('the delay is told', () =>
      said().some((m) => (m as { loopDelayMsMax?: number }).loopDelayMsMax ?? 0 >= 200),
    );
  });

  it('says again to a new agent what is still true, with the time that is left', async () => {
    const channel = client();
    await until('it is connected', () => heard('beat') >= 1);
    channel.ready();
    channel.busy('sale', 'a basket is open', 60_000);
    const finished = channel.begin('print', 30_000);
    channel.begin('tender', 20_000);
    await until('both items were told', () => heard('begin') === 2);
    finished.end();
    await until('all was said', () => heard('end') === 1);
    await server.close();
    events.length = 0;
    // While nobody listens: one thing ends, one begins, and nothing throws.
    channel.idle('sale');
    channel.begin('upload', 10_000);
    channel.trouble('the printer is on fire');
    await open();
    await until('all is said again', () => heard('beat') >= 1);
    const kinds = said().map((message) => (message as { kind: string }).kind);
    expect(kinds.filter((kind) => kind !== 'beat')).toEqual(['ready', 'trouble', 'begin', 'begin']);
    const items = said().filter((message) => (message as { kind: string }).kind === 'begin');
    expect(items).toMatchObject([
      { name: 'tender', deadlineMs: 20_000 },
      { name: 'upload', deadlineMs: 10_000 },
    ]);
    expect((items[0] as { leftMs: number }).leftMs).toBeLessThan(20_000);
  });

  it('does not speak of work that is done at once, however much there is', async () => {
    const channel = client();
    await until('it is connected', () => heard('beat') >= 1);
    for (let n = 0; n < 10_000; n += 1) channel.begin('request', 5_000).end();
    const lasting = channel.begin('upload', 5_000);
    await until('what lasts is told', () => heard('begin') === 1);
    for (let n = 0; n < 1_000; n += 1) lasting.touch();
    lasting.end();
    await until('its end is told', () => heard('end') === 1);
    expect(heard('touch')).toBeLessThanOrEqual(1);
    expect(server.rejected()).toEqual({});
  });

  it('runs alone without the environment, and refuses to watch from a worker', async () => {
    const channel = connectChannel({ onStop: () => undefined }, {});
    channel.ready();
    channel.begin('anything', 1).end();
    channel.close();
    const { Worker } = await import('node:worker_threads');
    const url = new URL('../../agent/channel/client.ts', import.meta.url).href;
    const code = `import('${url}').then((m) => m.connectChannel({ onStop() {} }, {}))
      .catch((e) => require('node:worker_threads').parentPort.postMessage(e.message));`;
    const worker = new Worker(code, { eval: true });
    const message = await new Promise((done) => worker.once('message', done));
    expect(message).toContain('main thread');
    await worker.terminate();
  });
});

describe('the channel refuses', () => {
  it.each([
    ['a wrong token', hello({ token: 'guess' }), 'bad_token'],
    ['an old instance', hello({ instance: 'i0' }), 'bad_instance'],
    ['an unknown component', hello({ component: 'nobody' }), 'unknown_component'],
    ['a beat before hello', '{"kind":"beat"}\n', 'bad_hello'],
    ['an HTTP request', 'GET / HTTP/1.1\r\n\r\n', 'bad_hello'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0, 0x0a]), 'bad_hello'],
    ['a line without an end', Buffer.alloc(20_000, 0x61), 'too_long'],
  ])('%s: the connection closes and is counted', async (_what, bytes, reason) => {
    const { socket, closed, answer } = raw();
    socket.write(bytes);
    await until('it is closed', closed);
    expect(answer()).toBe('');
    expect(server.rejected()).toEqual({ [reason]: 1 });
    expect(events).toEqual([]);
  });

  it('a connection that says nothing', async () => {
    const { closed } = raw();
    await until('it is closed', closed);
    expect(server.rejected()).toEqual({ hello_timeout: 1 });
  });

  it('lines that it does not understand, and keeps the connection', async () => {
    const { socket, closed } = raw();
    socket.write(
      `${hello()}garbage\n{"kind":"sing"}\n{"kind":"extend","ms":"long"}\n{"kind":"beat"}\n`,
    );
    await until('the beat arrives', () => heard('beat') === 1);
    expect(server.rejected()).toEqual({ not_json: 1, unknown_kind: 1, bad_line: 1 });
    expect(closed()).toBe(false);
  });

  it('a beat of a witness', async () => {
    const { socket } = raw();
    socket.write(`${hello({ role: 'witness' })}{"kind":"beat"}\n{"kind":"status","text":"up"}\n`);
    await until('the status arrives', () => heard('status') === 1);
    expect(server.rejected()).toEqual({ witness: 1 });
    expect(heard('beat')).toBe(0);
    expect(server.send('sale', { kind: 'heal' })).toBe(false);
  });

  it('a second process that wants to beat for the first, and a fifth connection', async () => {
    raw().socket.write(hello());
    await until('the first is in', () => events.length === 1);
    const child = raw();
    child.socket.write(hello({ pid: 2 }));
    await until('the child is out', child.closed);
    for (let n = 0; n < 3; n += 1) raw().socket.write(hello({ role: 'witness' }));
    await new Promise((done) => setTimeout(done, 100));
    const fifth = raw();
    fifth.socket.write(hello({ role: 'witness' }));
    await until('the fifth is out', fifth.closed);
    expect(server.rejected()).toEqual({ other_process: 1, too_many: 1 });
  });

  it('to be flooded: the sender waits, and nothing is lost', async () => {
    const { socket } = raw();
    socket.write(hello() + '{"kind":"beat"}\n'.repeat(20_000));
    await until('it is told to wait', () => (server.rejected()['too_fast'] ?? 0) > 0);
    await until('and the watchdog too', () => events.some((event) => event.kind === 'delayed'));
    expect(heard('beat')).toBeLessThan(20_000);
    await until('the first part is in', () => heard('beat') > 5_000, 30_000);
  });

  it('words of an instance that was replaced', async () => {
    const { socket } = raw();
    socket.write(hello());
    await until('it is in', () => events.length === 1);
    running.set('sale', { ...(running.get('sale') as Expected), instance: 'i2' });
    socket.write('{"kind":"beat"}\n');
    socket.end();
    await until('it is gone', () => events.some((event) => event.kind === 'disconnected'));
    expect(heard('beat')).toBe(0);
  });
});

describe('the socket', () => {
  it('belongs to its owner alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('of an agent that was killed is taken over', async () => {
    const stale = join(folder, 'stale.sock');
    // A child that binds and dies at once leaves its socket file behind.
    const { spawnSync } = await import('node:child_process');
    const code = `require('net').createServer().listen('${stale}', () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', code]);
    expect(statSync(stale).isSocket()).toBe(true);
    const options = { timers, files: socketFiles, log, expected: () => undefined };
    const opened = await openChannel({ ...options, path: stale, onEvent: () => undefined });
    expect(opened.ok).toBe(true);
    if (opened.ok) await opened.value.close();
  });

  it('is refused with a sentence where it cannot be', async () => {
    const options = { timers, files: socketFiles, log, expected: () => undefined };
    const open = (where: string) =>
      openChannel({ ...options, path: where, onEvent: () => undefined });
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    expect(await open(file)).toMatchObject({
      ok: false,
      reason: `${file} exists and is not a socket`,
    });
    const long = await open(join(folder, 'x'.repeat(100)));
    expect(!long.ok && long.reason).toContain('choose a shorter runDir');
    const nowhere = await open(join(folder, 'missing', 'channel.sock'));
    expect(!nowhere.ok && nowhere.reason).toContain('cannot listen on');
  });
});
