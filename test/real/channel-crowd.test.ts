// One component that opens connections without end and says nothing on them: the others must still be let in, or their
// start would fail for what it does.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  type ChannelEvent,
  CONNECTIONS_MAX,
  LINES_PER_SECOND_MAX,
  openChannel,
} from '../../agent/channel/server.ts';
import { socketFiles } from '../../agent/system/disk.ts';
import { log, ports, until } from './control-rig.ts';

it('a crowd that says nothing keeps nobody out, and costs no more than its connections', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-crowd-'));
  const path = join(folder, 's');
  const who = { component: 'sale', instance: 'i', token: 't', pid: 7 };
  const opened = await openChannel({
    ...{ path, timers: ports.timers, files: socketFiles, log, onEvent: () => undefined },
    expected: () => ({ ...who, beatMs: 500, deadlineMs: 3_000 }),
  });
  if (!opened.ok) throw new Error(opened.reason);
  const sockets: Socket[] = [];
  const open = (): Socket => {
    const socket = connect({ path });
    socket.on('error', () => undefined);
    sockets.push(socket);
    return socket;
  };
  /** A few at a time, as more wait in no backlog. */
  const crowd = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      open();
      if (n % 16 === 0) await new Promise((done) => setTimeout(done, 2));
    }
  };
  let told = '';
  try {
    await crowd(2 * CONNECTIONS_MAX);
    const socket = open();
    socket.on('data', (chunk) => {
      told += chunk.toString();
    });
    socket.write(`${JSON.stringify({ kind: 'hello', v: 1, role: 'main', ...who })}\n`);
    // The crowd goes on while it waits.
    await crowd(CONNECTIONS_MAX);
    await until('it is let in', () => told.includes('welcome'), 1_000);
    expect(opened.value.rejected()['too_many']).toBeGreaterThan(CONNECTIONS_MAX);
  } finally {
    for (const socket of sockets) socket.destroy();
    await opened.value.close();
    rmSync(folder, { recursive: true });
  }
});

it('one that connects again and again says no more than one that stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-crowd-'));
  const path = join(folder, 's');
  const who = { component: 'sale', instance: 'i', token: 't', pid: 7 };
  const events: ChannelEvent[] = [];
  const opened = await openChannel({
    ...{ path, timers: ports.timers, files: socketFiles, log },
    expected: () => ({ ...who, beatMs: 500, deadlineMs: 3_000 }),
    onEvent: (event) => events.push(event),
  });
  if (!opened.ok) throw new Error(opened.reason);
  const hello = `${JSON.stringify({ kind: 'hello', v: 1, role: 'main', ...who })}\n`;
  const beats = '{"kind":"beat"}\n'.repeat(400);
  let connected = 0;
  let stop = false;
  const storm = (): void => {
    if (stop) return;
    const socket = connect({ path });
    socket.on('error', () => undefined);
    socket.on('connect', () => {
      connected += 1;
    });
    socket.write(hello + beats);
    socket.once('data', () => socket.destroy());
    socket.once('close', () => setImmediate(storm));
  };
  try {
    storm();
    await new Promise((done) => setTimeout(done, 3_000));
    const heard = events.filter(({ kind }) => kind === 'said').length;
    // Four turns of a second, at most, and what is in memory already when one is told to wait.
    expect(heard).toBeLessThan(4 * (LINES_PER_SECOND_MAX + 2 * 400));
    expect(heard).toBeGreaterThan(400);
    expect(connected).toBeLessThan(4 * 1_100);
  } finally {
    stop = true;
    await opened.value.close();
    rmSync(folder, { recursive: true });
  }
});
