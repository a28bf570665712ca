import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { OnRefused } from '../../broker/ports.ts';
import { createTallies } from '../../broker/tls/tallies.ts';
import { createWaiting } from '../../broker/tls/waiting.ts';

/** A socket that only closes. */
class Fake extends EventEmitter {
  how = 'open';
  destroy(): void {
    if (this.how !== 'open') return;
    this.how = 'destroyed';
    this.emit('close');
  }
  resetAndDestroy(): void {
    this.how = 'reset';
    this.emit('close');
  }
}

function open(limits: { handshakes?: number; handshakesPerAddress?: number; burst?: number } = {}) {
  const { burst = 100, ...counts } = limits;
  const timers: { ms: number; run: () => void; isOn: boolean }[] = [];
  const refused: string[] = [];
  let nowMs = 0;
  const told: Parameters<OnRefused>[0][] = [];
  const quiet = (): void => {};
  const waiting = createWaiting({
    limits: {
      ...{ handshakes: 100, handshakesPerAddress: 50, helloMsMax: 5_000, handshakeMsMax: 10_000 },
      ...counts,
      connects: { burst, perSecond: 0 },
    },
    clock: { monotonicMs: () => nowMs },
    timers: {
      after: (ms, run) => {
        const timer = { ms, run, isOn: true };
        timers.push(timer);
        return () => {
          timer.isOn = false;
        };
      },
    },
    metrics: { refused: (reason) => refused.push(reason) },
    log: { info: quiet, warn: quiet, error: quiet },
    onRefused: (refusal) => told.push(refusal),
  });
  const enter = (name: string, address = '10.0.0.1') => {
    const socket = new Fake();
    return { socket, isIn: waiting.enter(socket as unknown as Socket, name, address) };
  };
  const due = (): void => {
    for (const timer of timers) if (timer.isOn) timer.run();
  };
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { waiting, enter, due, pass, timers, refused, told };
}

describe('in front of a handshake', () => {
  test('who finishes leaves nothing behind', () => {
    const { waiting, enter, timers, refused } = open();
    const { socket } = enter('a');
    waiting.begin('a');
    waiting.leave('a');
    expect(waiting.size()).toBe(0);
    expect(timers.map(({ ms, isOn }) => [ms, isOn])).toEqual([
      [5_000, false],
      [10_000, false],
    ]);
    socket.destroy();
    expect(refused).toEqual([]);
  });

  test('who does not say hello in time, or does not finish, is closed and counted once', () => {
    const { waiting, enter, due, refused, told } = open();
    const first = enter('a').socket;
    const second = enter('b').socket;
    waiting.begin('b');
    due();
    expect([first.how, second.how]).toEqual(['destroyed', 'destroyed']);
    expect(refused).toEqual(['handshake_timeout', 'handshake_timeout']);
    expect(told.map(({ sentence }) => sentence)).toEqual([
      'its ClientHello did not come in time',
      'its handshake did not end in time',
    ]);
    expect(waiting.size()).toBe(0);
  });

  test('who leaves in the middle is counted, with what TLS said where it said something', () => {
    const { waiting, enter, told } = open();
    enter('a').socket.destroy();
    const { socket } = enter('b');
    waiting.failed('b', 'no shared cipher');
    socket.destroy();
    waiting.failed('b', 'too late');
    expect(told.map(({ sentence }) => sentence)).toEqual([
      'it left in the middle of the handshake',
      'no shared cipher',
    ]);
  });

  test('an older socket of the same name does not take a newer one along', () => {
    const { waiting, enter, refused } = open();
    const older = enter('a').socket;
    waiting.leave('a');
    enter('a');
    older.destroy();
    expect(waiting.size()).toBe(1);
    expect(refused).toEqual([]);
  });

  test('one more than all or than one address may is reset, counted and not audited', () => {
    const { enter, refused, told, waiting } = open({ handshakes: 3, handshakesPerAddress: 2 });
    expect(['a', 'b', 'c'].map((name) => enter(name).isIn)).toEqual([true, true, false]);
    expect(enter('d', '10.0.0.2').isIn).toBe(true);
    const late = enter('e', '10.0.0.3');
    expect(late.isIn).toBe(false);
    expect(late.socket.how).toBe('reset');
    expect(refused).toEqual(['too_many_handshakes', 'too_many_handshakes']);
    expect(told).toEqual([]);
    waiting.leave('a');
    expect(enter('f').isIn).toBe(true);
  });

  test('where all places are taken the one that was silent longest goes, and no new one', () => {
    const { enter, waiting, pass, refused } = open({ handshakes: 3, handshakesPerAddress: 3 });
    const [first, second] = [enter('a', '10.0.0.1').socket, enter('b', '10.0.0.2').socket];
    pass(500);
    enter('c', '10.0.0.3');
    waiting.begin('a');
    expect(enter('d', '10.0.0.4').isIn).toBe(true);
    expect([first.how, second.how]).toEqual(['open', 'destroyed']);
    // Those that came just now are on their way, and a handshake has its time.
    expect(enter('e', '10.0.0.5').isIn).toBe(false);
    pass(3_000);
    waiting.begin('c');
    waiting.begin('d');
    expect(enter('f', '10.0.0.6').isIn).toBe(true);
    expect(first.how).toBe('destroyed');
    expect(enter('g', '10.0.0.7').isIn).toBe(false);
    expect(waiting.size()).toBe(3);
    expect(refused).toEqual(Array(4).fill('too_many_handshakes'));
  });

  test('who comes too often is reset', () => {
    const { enter, refused } = open({ burst: 2 });
    expect(['a', 'b', 'c'].map((name) => enter(name).isIn)).toEqual([true, true, false]);
    expect(enter('d', '10.0.0.2').isIn).toBe(true);
    expect(refused).toEqual(['connect_rate']);
  });

  test('one customer with a whole network of IPv6 addresses is one address', () => {
    const { enter, waiting, refused } = open({ handshakesPerAddress: 2, burst: 3 });
    const from = (name: string, last: string, net = '1') =>
      enter(name, `2001:db8:0:${net}::${last}`).isIn;
    expect([from('a', '1'), from('b', '2'), from('c', '3')]).toEqual([true, true, false]);
    waiting.leave('a');
    waiting.leave('b');
    expect(from('d', '4')).toBe(false);
    expect(refused).toEqual(['too_many_handshakes', 'connect_rate']);
    expect(from('e', '1', '2')).toBe(true);
  });

  test('at the end all are closed and none is counted', () => {
    const { enter, waiting, refused } = open();
    const sockets = ['a', 'b', 'c'].map((name) => enter(name).socket);
    waiting.stop();
    expect(sockets.every(({ how }) => how === 'destroyed')).toBe(true);
    expect(waiting.size()).toBe(0);
    expect(refused).toEqual([]);
  });
});

test('all addresses of one IPv6 network have one tally, and IPv4 the same in IPv6', () => {
  const tallies = createTallies();
  for (const address of ['2001:db8::1', '2001:db8::2', '::ffff:192.0.2.1']) tallies.more(address);
  expect(['2001:db8::3', '2001:db8:0:1::1', '192.0.2.1'].map(tallies.of)).toEqual([2, 0, 1]);
  tallies.less('2001:db8::9');
  expect([tallies.of('2001:db8::1'), tallies.addresses()]).toEqual([1, 2]);
});

test('an address of which nothing is left is not remembered', () => {
  const tallies = createTallies();
  for (const address of ['a', 'b', 'a']) tallies.more(address);
  expect([tallies.of('a'), tallies.of('b'), tallies.addresses()]).toEqual([2, 1, 2]);
  for (const address of ['a', 'b', 'a']) tallies.less(address);
  tallies.less('a');
  expect([tallies.of('a'), tallies.addresses()]).toEqual([0, 0]);
});
