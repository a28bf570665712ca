// A human's debugger, played by a client of the inspector protocol over a WebSocket as any front end is: it is seen
// as long as it is attached, and nothing else is taken for one.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { realPorts } from '../../agent/system.ts';
import { findDebugger } from '../../agent/watchdog/debugger.ts';
import { readStat } from '../../agent/watchdog/identity.ts';
import { until } from './agent-rig.ts';

const { files } = realPorts();
let child: ChildProcess | undefined;
let socket: WebSocket | undefined;

afterEach(() => {
  socket?.close();
  child?.kill('SIGKILL');
});

const PROGRAM = `
  require('node:http').createServer((_, r) => r.end('ok')).listen(0, '127.0.0.1', function () {
    console.log('serves ' + this.address().port);
  });
  setInterval(() => undefined, 20);
`;

async function start(flags: readonly string[]): Promise<{ pid: number; text: () => string }> {
  const started = spawn(process.execPath, [...flags, '-e', PROGRAM], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  let text = '';
  for (const stream of [started.stdout, started.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  await until('it serves', () => /serves \d+/.test(text));
  return { pid: started.pid ?? 0, text: () => text };
}

function found(pid: number) {
  const stat = readStat(files, pid);
  return stat && findDebugger(files, [stat]);
}

async function attach(text: string): Promise<WebSocket> {
  const url = /ws:\/\/\S+/.exec(text)?.[0] ?? '';
  const opened = new WebSocket(url);
  socket = opened;
  await new Promise((done, failed) => {
    opened.addEventListener('open', done);
    opened.addEventListener('error', failed);
  });
  return opened;
}

const order = (to: WebSocket, id: number, method: string): void =>
  to.send(JSON.stringify({ id, method }));

describe('a debugger', () => {
  it('is found while it holds a component at a line, and no more when it has gone', async () => {
    const { pid, text } = await start(['--inspect=0']);
    expect(found(pid)).toBeUndefined();
    const debugging = await attach(text());
    const paused = new Promise((done) => {
      debugging.addEventListener('message', ({ data }) => {
        if (String(data).includes('Debugger.paused')) done(undefined);
      });
    });
    order(debugging, 1, 'Debugger.enable');
    order(debugging, 2, 'Debugger.pause');
    await paused;
    const port = Number(/:(\d+)\//.exec(text())?.[1]);
    expect(found(pid)).toEqual({ pid, port });
    debugging.close();
    await until('it has gone', () => found(pid) === undefined);
  });

  it('is found where a signal opened the inspector', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    const { pid, text } = await start([`--inspect-port=${port}`]);
    child?.kill('SIGUSR1');
    await until('it listens', () => text().includes('ws://'));
    expect(found(pid)).toBeUndefined();
    await attach(text());
    expect(found(pid)).toEqual({ pid, port });
  });

  it('is not seen in the clients of a component that serves', async () => {
    const { pid, text } = await start(['--inspect=0']);
    const port = Number(/serves (\d+)/.exec(text())?.[1]);
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.text()).toBe('ok');
    expect(found(pid)).toBeUndefined(); // its connection is kept alive by now
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(found(process.pid)).toBeUndefined();
    server.close();
  });
});
