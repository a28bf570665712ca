// The till's own socket: one question, one answer, whatever is sent; and it comes back when somebody removes it.

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CONTROL_CONNECTIONS_MAX,
  type ControlSocket,
  openControlSocket,
  REQUEST_BYTES_MAX,
  REQUEST_MS_MAX,
} from '../../agent/control-socket.ts';
import { socketFiles } from '../../agent/system/disk.ts';
import { realPorts } from '../../agent/system.ts';
import { EXIT } from '../../cli/exit.ts';
import { tillIn } from '../../cli/till.ts';
import { until } from './agent-rig.ts';

let folder: string;
let path: string;
let socket: ControlSocket;
const logged: string[] = [];

/** Whoever dawdles is given up five times sooner than at a till. */
const { timers } = realPorts();
const quicker: typeof timers = { ...timers, after: (ms, run) => timers.after(ms / 5, run) };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tw-control-'));
  path = join(folder, 'control.sock');
  const keep = (message: string) => logged.push(message);
  const log = { info: keep, warn: keep, error: keep };
  const opened = await openControlSocket({
    ...{ path, timers: quicker, files: socketFiles, log },
  });
  if (!opened.ok) throw new Error(opened.reason);
  socket = opened.value;
  socket.register('echo', (request) => ({ ok: true, value: request }));
  socket.register('later', async () => {
    await new Promise((done) => setTimeout(done, 100));
    return { ok: true, value: 'late' };
  });
  socket.register('never', () => ({ ok: false, reason: 'not here', refused: true }));
  socket.register('bug', () => {
    throw new Error('a bug');
  });
  socket.register('long', () => ({ ok: true, value: 'x'.repeat(1e6) }));
});
afterEach(async () => {
  await socket.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends bytes as they are. @returns everything that came back. */
const raw = (bytes: string, end = false): Promise<string> =>
  new Promise((done) => {
    let heard = '';
    const client = connect({ path });
    client.on('data', (chunk) => {
      heard += chunk;
    });
    client.on('error', () => undefined);
    client.on('close', () => done(heard));
    if (end) client.end(bytes);
    else client.write(bytes);
  });

describe('the control socket', () => {
  it('is for its owner only, and answers each question once', async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const ask = tillIn(folder);
    expect(await ask({ kind: 'echo', a: 1 })).toEqual({ ok: true, value: { kind: 'echo', a: 1 } });
    expect(await ask({ kind: 'later' })).toEqual({ ok: true, value: 'late' });
    const denied = { ok: false, exit: EXIT.denied, sentence: 'not here' };
    expect(await ask({ kind: 'never' })).toEqual(denied);
    expect(await ask({ kind: 'what' })).toMatchObject({
      exit: EXIT.failed,
      sentence: expect.stringContaining('it knows bug, echo, later, long, never'),
    });
    const twice = '{"kind":"echo","n":1}\n{"kind":"echo","n":2}\n';
    expect((await raw(twice)).trim().split('\n')).toHaveLength(1);
    // As `printf ... | nc -U` does it: its side is closed before the answer comes.
    expect(await raw('{"kind":"later"}\n', true)).toContain('late');
  });

  it('outlives whatever it is sent', async () => {
    const wrong = ['{}', '[]', 'null', '{"kind":7}', '{"__proto__":{"kind":"echo"}}', '\u0000'];
    for (const line of wrong) expect(await raw(`${line}\n`)).toContain('"ok":false');
    expect(await raw('x'.repeat(REQUEST_BYTES_MAX + 1))).toContain('too long');
    expect(await raw('{"kind":"bug"}\n')).toContain('see its log');
    expect(await raw('{"kind":"long"}\n')).toContain('the answer is too long');
    expect(await raw('{"kind":"echo"')).toBe('');
    expect((await tillIn(folder)({ kind: 'echo' })).ok).toBe(true);
  }, 30_000);

  it('does not keep whoever says nothing, and lets in no more than it has room for', async () => {
    const silent = Array.from({ length: CONTROL_CONNECTIONS_MAX + 4 }, () => raw(''));
    expect(await Promise.all(silent)).toEqual(silent.map(() => ''));
    expect((await tillIn(folder)({ kind: 'echo' })).ok).toBe(true);
  }, 30_000);

  it('does not keep whoever got an answer and stays', async () => {
    // As `nc -U` does it whose own input is still open.
    const staying = Array.from({ length: CONTROL_CONNECTIONS_MAX }, () => {
      const client = connect({ path, allowHalfOpen: true });
      client.on('error', () => undefined);
      client.write('{"kind":"echo"}\n');
      return client;
    });
    const answered = staying.map((client) => new Promise((done) => client.once('data', done)));
    await Promise.all(answered);
    const untilMs = performance.now() + 3 * REQUEST_MS_MAX;
    let hasRoom = false;
    while (!hasRoom && performance.now() < untilMs) {
      await new Promise((done) => setTimeout(done, 200));
      hasRoom = (await tillIn(folder)({ kind: 'echo' })).ok;
    }
    expect(hasRoom).toBe(true);
    for (const client of staying) client.destroy();
  }, 30_000);

  it('tells who finds it crowded that an agent is there', async () => {
    const silent = Array.from({ length: CONTROL_CONNECTIONS_MAX }, () => raw(''));
    const reply = await tillIn(folder)({ kind: 'echo' });
    expect(reply).toMatchObject({
      exit: EXIT.unavailable,
      sentence: expect.stringContaining('others ask it at this moment'),
    });
    await Promise.all(silent);
  }, 30_000);

  it('comes back when somebody removes it', async () => {
    rmSync(path);
    expect(await tillIn(folder)({ kind: 'echo' })).toMatchObject({ exit: EXIT.unavailable });
    socket.keep();
    await until('it is there again', () => socketFiles.isSocket(path));
    expect((await tillIn(folder)({ kind: 'echo' })).ok).toBe(true);
  });

  it('is not mended once it is being closed, which would hold the agent for ever', async () => {
    const closing = socket.close();
    await until('it is removed', () => !socketFiles.isSocket(path));
    socket.keep();
    await closing;
    await new Promise((done) => setTimeout(done, 50));
    expect(socketFiles.isSocket(path)).toBe(false);
  });
});
