// Answers on one line: a chunk of each in turn, never more than one ahead of what is live, no more than the broker gives
// credits for, and over time no more than their share.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startLink } from '../../agent/link/link.ts';
import type { SessionHandlers } from '../../agent/link/session.ts';
import type { Supply } from '../../agent/logs/pull/delivery.ts';
import { answered, FREE, mayGo, went } from '../../agent/logs/pull/share.ts';
import { QUICK_MS, Turns, VERY_QUICK_MS, windowOf } from '../../agent/logs/pull/turns.ts';
import type { Outbox, Outgoing } from '../../agent/telemetry/types.ts';
import { epochOfRequest } from '../../protocol/logs.ts';
import type { Ack } from '../../protocol/wire.ts';
import { encodeAck } from '../../protocol/wire.ts';
import { fakeTime, quiet } from './fleet-rig.ts';

/** An answer of so many chunks of one byte each, named by a letter. */
function supplyOf(letter: string, chunks: number) {
  let at = 0;
  let word: string | undefined;
  const supply: Supply = {
    request: randomUUID(),
    next: () => {
      if (at >= chunks) return undefined;
      at += 1;
      const bytes = Buffer.from(`${letter}${at}`);
      return { bytes, seq: at, lastSeq: at, isLast: at === chunks };
    },
    word: () => {
      const said = word;
      word = undefined;
      return said === undefined ? undefined : Buffer.from(said);
    },
    reached: () => {},
    delivered: () => {},
    refused: () => {},
  };
  return { ...supply, say: (text: string) => (word = text) };
}

function ackOf(request: string, upTo: number, logCredits = 0): Ack {
  return {
    ...{ epoch: epochOfRequest(request), refused: [], brokerTimeMs: 1, paceBytesPerSecond: 0 },
    ...{ streams: [{ stream: 'logs', ranges: [{ first: 1, last: upTo }] }], notice: '' },
    ...{ ledgerGeneration: new Uint8Array(16), logCredits },
  };
}

function turnsWith(share = 1) {
  const time = fakeTime();
  const turns = new Turns({ clock: time.clock, timers: time.timers, random: () => 0, share });
  const take = (): string => Buffer.from(turns.take() ?? []).toString();
  const all = (): string[] => {
    const taken: string[] = [];
    for (let one = take(); one !== ''; one = take()) taken.push(one);
    return taken;
  };
  return { time, turns, take, all };
}

describe('the window', () => {
  it('is one chunk on a line that is slow or not known, four on a quick one, and the credits at most', () => {
    expect([windowOf(undefined), windowOf(QUICK_MS), windowOf(QUICK_MS + 1)]).toEqual([1, 4, 1]);
    expect([windowOf(1, 2), windowOf(QUICK_MS, 9), windowOf(undefined, 9)]).toEqual([2, 4, 1]);
  });

  it('is a dozen on a very quick line that is all ours, where the broker says that it can take them', () => {
    expect([windowOf(1, 32), windowOf(VERY_QUICK_MS, 9), windowOf(VERY_QUICK_MS + 1, 9)]).toEqual([
      12, 9, 4,
    ]);
    expect([windowOf(1), windowOf(1, 32, 0.3)]).toEqual([4, 4]);
  });

  it('is shared by all answers, a chunk of each in turn', () => {
    const { turns, time, all } = turnsWith();
    const [large, small] = [supplyOf('a', 100), supplyOf('b', 2)];
    turns.add(large);
    turns.add(small);
    expect(all()).toEqual(['a1']);
    time.pass(10);
    turns.acknowledge(ackOf(large.request, 1));
    expect(all()).toEqual(['b1', 'a2', 'b2', 'a3']);
    turns.acknowledge(ackOf(large.request, 3, 1));
    expect(all()).toEqual([]);
    turns.acknowledge(ackOf(small.request, 2, 1));
    expect(all()).toEqual(['a4']);
  });

  it('is not held up for long by an answer that nobody acknowledges', () => {
    const { turns, time, all } = turnsWith();
    turns.add(supplyOf('a', 1));
    expect(all()).toEqual(['a1']);
    turns.add(supplyOf('b', 1));
    expect(all()).toEqual([]);
    time.pass(10_001);
    expect(all()).toEqual(['b1']);
  });

  it('is asked again after a new session, from what was not answered', () => {
    const { turns, time, all } = turnsWith();
    const one = supplyOf('a', 3);
    turns.add(one);
    all();
    time.pass(5);
    turns.acknowledge(ackOf(one.request, 1));
    expect(all()).toEqual(['a2', 'a3']);
    turns.resendAll();
    expect(turns.inFlight()).toBe(0);
    expect(all()).toEqual(['a2']);
  });

  it('has room for a word about a search only while nothing of it is on its way', () => {
    const { turns, all } = turnsWith();
    const one = supplyOf('a', 1);
    turns.add(one);
    one.say('nothing yet');
    expect(all()).toEqual(['a1']);
    turns.acknowledge(ackOf(one.request, 0));
    const other = supplyOf('b', 0);
    turns.add(other);
    other.say('nothing yet');
    expect(all()).toEqual(['nothing yet']);
    expect(turns.inFlight()).toBe(1);
  });
});

describe('a share of the line', () => {
  it('lets it rest after each burst in proportion to how long that took', () => {
    let line = went(FREE, 1_000, 4);
    for (let n = 0; n < 3; n += 1) line = went(line, 1_000, 4);
    expect(mayGo(line, 1_001, 0.25)).toBe(false);
    line = answered(line, 1_050, 2, 0.25);
    expect(mayGo(line, 1_060, 0.25)).toBe(false);
    line = answered(line, 1_100, 0, 0.25);
    expect([mayGo(line, 1_399, 0.25), mayGo(line, 1_400, 0.25)]).toEqual([false, true]);
  });

  it('is kept over time, whatever the line', () => {
    const { turns, time, take } = turnsWith(0.3);
    const one = supplyOf('a', 10_000);
    turns.add(one);
    let busyMs = 0;
    while (time.clock.monotonicMs() < 600_000) {
      const sent = take();
      if (sent === '') {
        time.pass(10);
        continue;
      }
      time.pass(800);
      busyMs += 800;
      turns.acknowledge(ackOf(one.request, Number(sent.slice(1))));
    }
    expect(busyMs / 600_000).toBeGreaterThan(0.27);
    expect(busyMs / 600_000).toBeLessThan(0.33);
  });

  it('wakes whoever sends when the rest is over', () => {
    const { turns, time, take } = turnsWith(0.5);
    const one = supplyOf('a', 3);
    let woken = 0;
    turns.onWork(() => {
      woken += 1;
    });
    turns.add(one);
    take();
    time.pass(500);
    turns.acknowledge(ackOf(one.request, 1));
    expect(take()).toBe('');
    const before = woken;
    time.pass(499);
    expect(woken).toBe(before);
    time.pass(2);
    expect(woken).toBe(before + 1);
    expect(take()).toBe('a2');
  });
});

describe('the link', () => {
  /** A link over a session that the test plays, with an outbox of events and an answer. */
  function linked(supply: Supply) {
    const { turns, time } = turnsWith();
    turns.add(supply);
    const sent: string[] = [];
    const ended: string[] = [];
    const socket = { waiting: 0 };
    let handlers: SessionHandlers | undefined;
    let work = (): void => {};
    const due: Outgoing[] = [];
    const outbox = {
      time: { known: () => true },
      ...{ resendAll: () => {}, inFlight: () => 0, urgent: () => 0, setWishedSendMs: () => {} },
      acknowledge: () => ({ acknowledged: 0, refused: 0, foreign: true }),
      onWork: (call: () => void) => {
        work = call;
      },
      takeBatches: () => due.splice(0),
    } as unknown as Outbox;
    startLink({
      ...{ terminal: 'lane-1', broker: { host: '127.0.0.1', port: 1 }, outbox, chunks: turns },
      ...{ clock: time.clock, timers: time.timers, log: quiet, onCommand: () => {} },
      random: () => 0,
      openSession: (_options, given) => {
        handlers = given;
        return {
          publish: (topic: string) => sent.push(topic.split('/').at(-1) ?? ''),
          waitingBytes: () => socket.waiting,
          destroy: (reason: string) => ended.push(reason),
          leave: () => Promise.resolve(),
        };
      },
    });
    time.pass(100);
    handlers?.onUp();
    const event = (): void => {
      const bytes = new Uint8Array(9);
      due.push({ stream: 'events', seq: 1, bytes, resend: false, backlog: false });
      work();
      time.pass(1);
    };
    const acknowledge = (upTo: number): void => {
      handlers?.onAck(encodeAck(ackOf(supply.request, upTo)));
      time.pass(1);
    };
    return { time, turns, sent, ended, socket, event, acknowledge };
  }

  it('sends one chunk until it knows the line, then four, and events before any of them', () => {
    const { time, sent, event, acknowledge } = linked(supplyOf('a', 100));
    time.pass(5);
    expect(sent).toEqual(['logs']);
    event();
    expect(sent).toEqual(['logs', 'events']);
    acknowledge(1);
    time.pass(5);
    expect(sent.filter((stream) => stream === 'logs')).toHaveLength(5);
  });

  it('sends no chunk while the socket has not taken what was written before', () => {
    const { time, sent, socket, event, acknowledge } = linked(supplyOf('a', 100));
    socket.waiting = 1;
    acknowledge(1);
    event();
    expect(sent).toEqual(['logs', 'events']);
    socket.waiting = 0;
    time.pass(1_000);
    expect(sent.filter((stream) => stream === 'logs').length).toBeGreaterThan(1);
  });

  it('waits for no answer to a word about a search', () => {
    const searching = supplyOf('a', 0);
    const { time, sent, ended } = linked(searching);
    for (let n = 0; n < 60; n += 1) {
      searching.say('nothing yet');
      time.pass(1_000);
    }
    expect(sent.length).toBeGreaterThan(50);
    expect(ended).toEqual([]);
  });
});
