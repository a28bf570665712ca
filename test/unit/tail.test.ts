// A live tail: what is printed arrives, redacted, as long as its lease lasts; a slow line makes it leave out and say so,
// never grow; and levels that were raised for it go back however it ends.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Levels } from '../../agent/deeds/levels.ts';
import type { ListenOptions, RecordListener } from '../../agent/logs/intake/types.ts';
import type { JournalRecord } from '../../agent/logs/journal/types.ts';
import { RING_BYTES_MAX, Ring } from '../../agent/logs/tail/ring.ts';
import {
  type Raising,
  TAILS_OPEN_MAX,
  type TailCommand,
  Tails,
} from '../../agent/logs/tail/tails.ts';
import { epochOfRequest, type LogChunk, lastSeqOf } from '../../protocol/logs.ts';
import { quiet } from './fleet-rig.ts';
import { chunkOf, NOON, recordOf, terminalOver } from './pull-rig.ts';

const CARD = '4111111111111111';

function watched() {
  const world = terminalOver('/nowhere');
  const { time, told, missed } = world;
  const pulls = world.open();
  const listeners = new Map<RecordListener, ListenOptions | undefined>();
  const raised: string[] = [];
  const raising: Raising = {
    raise: (request, components, level) => {
      raised.push(`${components} ${level} ${request.slice(0, 4)}`);
      return Promise.resolve([]);
    },
    lower: (request) => raised.push(`lower ${request.slice(0, 4)}`),
  };
  const tails = new Tails({
    ...{ pulls, components: ['sale', 'sync'], clock: time.clock, timers: time.timers, log: quiet },
    time: { nowMs: () => NOON, offsetMs: () => 5_000, known: () => true, learn: () => true },
    redactions: { missed: (...all) => missed.push(all) },
    intake: {
      listen: (listener, options) => {
        listeners.set(listener, options);
        return () => listeners.delete(listener);
      },
    },
  });
  tails.start((command, succeeded, reason, detail) =>
    told.push({ command, succeeded, reason, detail }),
  );
  const begin = (change: Partial<TailCommand['arguments']> = {}): TailCommand => {
    const command: TailCommand = {
      ...{ id: randomUUID(), kind: 'tail', terminal: 'lane-1', issuedMs: NOON },
      ...{ expiresMs: NOON * 2, operator: 'kim', reason: 'a look', traceparent: '' },
      arguments: {
        ...{ request: randomUUID(), components: ['sale'], bytesMax: 5_000_000, forMs: 60_000 },
        ...change,
      },
    };
    tails.begin(command, raising);
    return command;
  };
  const print = (text: string, change: Partial<JournalRecord> = {}, component = 'sale'): void => {
    for (const listener of listeners.keys()) listener(component, recordOf(text, change));
  };
  const got: LogChunk[] = [];
  /** What a broker that is there takes within so long. */
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 50) {
      time.pass(50);
      for (let bytes = pulls.take(); bytes !== undefined; bytes = pulls.take()) {
        const chunk = chunkOf(bytes);
        got.push(chunk);
        const ranges = [{ first: 1, last: lastSeqOf(chunk) }];
        pulls.acknowledge({
          ...{ epoch: epochOfRequest(chunk.request), streams: [{ stream: 'logs', ranges }] },
          ...{ refused: [], brokerTimeMs: NOON, paceBytesPerSecond: 0, notice: '' },
          ledgerGeneration: new Uint8Array(16),
        });
      }
    }
  };
  const text = (): string => Buffer.concat(got.map(({ body }) => body)).toString();
  return { ...world, pulls, tails, listeners, raised, begin, print, got, pass, text };
}

describe('a live tail', () => {
  it('brings what fits while it is printed, redacted once more, and ends with its lease', () => {
    const { begin, print, pass, text, got, told, missed, listeners } = watched();
    const { id, arguments: asked } = begin({ level: 'warn', text: 'PAPER' });
    print('no paper', { level: 'error' });
    print('no paper', { level: 'info' });
    print('all well', { level: 'error' });
    pass(300);
    expect(text()).toBe('2026-11-23T12:00:05.000Z E [sale] no paper\n');
    print(`paper for ${CARD}`, { level: 'warn' });
    pass(300);
    expect(text()).toContain('paper for [PAN visa ....1111]\n');
    expect(missed).toMatchObject([['tail', asked.request, { pan: 1 }]]);
    pass(60_000);
    expect(got.at(-1)).toMatchObject({ last: true, cutBy: '', missed: 1, lines: 2 });
    expect(told).toMatchObject([
      { command: id, succeeded: true, detail: { records: 2, missed: 1 } },
    ]);
    expect(listeners.size).toBe(0);
  });

  it('listens with urgency to those that were asked about, or to all', () => {
    const { begin, listeners } = watched();
    begin({ components: [] });
    const [options] = listeners.values();
    expect(options).toEqual({ urgent: true, components: new Set(['sale', 'sync']) });
  });

  it('leaves out the oldest when the line is slower, says how many, and goes on', () => {
    const { begin, print, pass, text, got, tails, pulls } = watched();
    begin();
    for (let n = 0; n < 5_000; n += 1) print(`${n} ${'x'.repeat(200)}`);
    expect(pulls.take()).toBeDefined();
    for (let n = 5_000; n < 9_000; n += 1) print(`${n} ${'x'.repeat(200)}`);
    pulls.resendAll();
    pass(5_000);
    const told = /W \[sale\] \[tillwatch: (\d+) records left out: the line is slower/g;
    const left = [...text().matchAll(told)].reduce((sum, [, count]) => sum + Number(count), 0);
    const lines = text()
      .split('\n')
      .filter((line) => /\] \d+ x/.test(line));
    expect(left + lines.length).toBe(9_000);
    expect(left).toBeGreaterThan(6_000);
    expect(tails.dropped()).toBe(left);
    expect(got.at(-1)?.dropped).toBe(left);
    expect(lines.at(-1)).toContain(' 8999 ');
  });

  it('ends when it has brought as much as was asked for, or when nobody wants it', () => {
    const { begin, print, pass, got, told, tails, text } = watched();
    begin({ bytesMax: 500 });
    for (let n = 0; n < 50; n += 1) print(`${n} words`);
    pass(2_000);
    expect(got.at(-1)).toMatchObject({ last: true, truncated: true, cutBy: 'bytes' });
    expect(text().length).toBeLessThanOrEqual(500);
    const { arguments: asked } = begin();
    print('before');
    expect(tails.cancel(asked.request)).toBe(true);
    print('after');
    pass(500);
    expect(got.at(-1)).toMatchObject({ last: true, cutBy: 'cancelled' });
    expect(text()).toContain('before');
    expect(text()).not.toContain('after');
    expect(told.map(({ succeeded }) => succeeded)).toEqual([true, true]);
    expect(tails.cancel(asked.request)).toBe(false);
  });

  it('survives a broker that is away, not its lease, and not its agent', () => {
    const { begin, print, pass, time, text, told, listeners, open } = watched();
    begin({ forMs: 60_000 });
    time.pass(30_000);
    print('while away');
    pass(300);
    expect(text()).toContain('while away');
    time.pass(60_000);
    expect(listeners.size).toBe(0);
    expect(told).toEqual([]);
    const second = open();
    expect(second.resumed.size).toBe(1);
    expect(told).toMatchObject([{ succeeded: false, reason: /restarted/ }]);
  });

  it('is one of a few, and raises levels until it ends', () => {
    const { begin, told, raised, pass, tails } = watched();
    const first = begin({ raise: 'debug' });
    for (let n = 0; n < TAILS_OPEN_MAX; n += 1) begin();
    expect(told).toMatchObject([{ succeeded: false, reason: /end one of them/ }]);
    expect(raised).toEqual([`sale debug ${first.arguments.request.slice(0, 4)}`]);
    tails.cancel(first.arguments.request);
    pass(500);
    expect(raised).toContain(`lower ${first.arguments.request.slice(0, 4)}`);
  });
});

describe('the ring', () => {
  it('never holds more than it may, and one record too many is one that is missing', () => {
    const ring = new Ring();
    for (let n = 0; n < 2_000; n += 1) {
      ring.push({ component: 'sale', timeMs: n, line: 'x'.repeat(1_000) });
      expect(ring.bytes).toBeLessThanOrEqual(RING_BYTES_MAX);
    }
    ring.push({ component: 'sale', timeMs: 1, line: 'x'.repeat(RING_BYTES_MAX + 1) });
    expect(ring.peek()).toBeUndefined();
    expect(ring.takeLeft()?.count).toBe(2_001);
  });
});

describe('a level that was raised for a tail', () => {
  function levelsOf(disk: { text?: string } = {}) {
    let now = 0;
    const said: string[] = [];
    const open = () =>
      new Levels({
        path: 'levels.json',
        clock: { monotonicMs: () => now, wallMs: () => now, bootId: () => 'b', bootMs: () => now },
        files: {
          read: () => disk.text,
          replace: (_path, text) => {
            disk.text = text;
            return { ok: true, value: undefined };
          },
          remove: () => {
            delete disk.text;
          },
        },
        ...{ log: quiet, isOwn: () => false, setOwn: () => {} },
        asks: {
          ask: (component, order) => {
            const message = order('1');
            if (message.kind === 'level') said.push(`${component} ${message.level}`);
            return Promise.resolve({ ok: true, reason: '' });
          },
        },
        send: (component, message) => {
          if (message.kind !== 'level') return true;
          said.push(`${component} ${message.untilMs === 0 ? 'back' : message.level}`);
          return true;
        },
      });
    return { open, said, disk, pass: (ms: number) => (now += ms) };
  }

  it('goes back when the tail ends', async () => {
    const { open, said, disk } = levelsOf();
    const levels = open();
    await levels.set('sale', 'debug', 60_000, 'tail-1');
    levels.lower('tail-1');
    levels.lower('tail-1');
    expect(said).toEqual(['sale debug', 'sale back']);
    expect(disk.text).toBeUndefined();
  });

  it('goes back to what an operator had set, and stays as an operator set it since', async () => {
    const { open, said } = levelsOf();
    const levels = open();
    await levels.set('sale', 'warn', 600_000);
    await levels.set('sale', 'debug', 60_000, 'tail-1');
    levels.lower('tail-1');
    expect(said).toEqual(['sale warn', 'sale debug', 'sale warn']);
    await levels.set('sale', 'debug', 60_000, 'tail-2');
    await levels.set('sale', 'error', 60_000);
    levels.lower('tail-2');
    expect(said.at(-1)).toBe('sale error');
  });

  it('goes back to what an operator had set, however many tails raised it since', async () => {
    const { open, said } = levelsOf();
    const levels = open();
    await levels.set('sale', 'warn', 600_000);
    await levels.set('sale', 'info', 60_000, 'tail-1');
    await levels.set('sale', 'debug', 60_000, 'tail-2');
    levels.lower('tail-2');
    levels.lower('tail-1');
    expect(said.at(-1)).toBe('sale warn');
  });

  it('goes back when the agent that had the tail was killed', async () => {
    const { open, said } = levelsOf();
    await open().set('sale', 'debug', 60_000, 'tail-1');
    const next = open();
    next.connected('sale');
    next.connected('sale');
    expect(said).toEqual(['sale debug', 'sale back']);
  });

  it('goes back to what an operator had set, also when the agent that had the tail was killed', async () => {
    const { open, said } = levelsOf();
    const levels = open();
    await levels.set('sale', 'warn', 600_000);
    await levels.set('sale', 'debug', 60_000, 'tail-1');
    open().connected('sale');
    expect(said).toEqual(['sale warn', 'sale debug', 'sale warn']);
  });
});
