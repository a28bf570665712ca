import { expect, test } from 'vitest';
import { WATCHED_MAX, WATCHED_MS } from '../../broker/mqtt/kept.ts';
import { createSessions, type Session } from '../../broker/mqtt/sessions.ts';
import { type Ack, decodeAck, NO_EPOCH } from '../../protocol/wire.ts';

function setUp() {
  let ready = 0;
  let nowMs = 0;
  let pace = 0;
  const sessions = createSessions({
    clock: { wallMs: () => 5, monotonicMs: () => nowMs },
    pace: () => pace,
    generation: new Uint8Array(16),
    onOpened: () => {},
    onClosed: () => {},
    onCommandReady: () => {
      ready += 1;
    },
  });
  const sent: string[] = [];
  const acks: Ack[] = [];
  const greetings: Ack[] = [];
  const open = (): Session =>
    sessions.open('lane-1', {
      address: '127.0.0.1',
      send: (topic, payload, done) => {
        sent.push(topic);
        const ack = decodeAck(payload);
        if (ack.ok)
          (Buffer.compare(ack.value.epoch, NO_EPOCH) === 0 ? greetings : acks).push(ack.value);
        done();
      },
      close: () => {},
      dismiss: () => {},
    }).session;
  return {
    sessions,
    open,
    sent,
    acks,
    greetings,
    ready: () => ready,
    passMs: (ms: number): void => {
      nowMs += ms;
    },
    setPace: (value: number): void => {
      pace = value;
    },
  };
}

test('a terminal that subscribes again and again asks for its open commands once a connection', () => {
  const { sessions, open, ready } = setUp();
  const first = open();
  for (let count = 0; count < 2_000; count += 1) {
    sessions.subscribe(first, 'command');
    if (count % 2 === 0) first.subscribed.delete('command');
  }
  expect(ready()).toBe(1);
  sessions.subscribe(open(), 'command');
  expect(ready()).toBe(2);
});

test('it gets what the queue sends as long as it is subscribed', () => {
  const { sessions, open, sent } = setUp();
  const session = open();
  expect(sessions.sendCommand('lane-1', new Uint8Array(3))).toBe(false);
  sessions.subscribe(session, 'command');
  expect(sessions.sendCommand('lane-1', new Uint8Array(3))).toBe(true);
  session.subscribed.delete('command');
  expect(sessions.sendCommand('lane-1', new Uint8Array(3))).toBe(false);
  expect(sent).toEqual(['tillwatch/1/lane-1/down/command']);
});

const outcome = (seq: number, stream: 'metrics' | 'logs' = 'metrics', terminal = 'lane-1') => ({
  terminal,
  epochHex: (stream === 'logs' ? 'bb' : 'aa').repeat(16),
  streams: [{ stream, ranges: [{ first: 1, last: seq }] }],
  refused: [],
});

test('each acknowledgement says how fast a backlog may come at that moment', () => {
  const { sessions, open, acks, setPace } = setUp();
  sessions.subscribe(open(), 'ack');
  sessions.acknowledge(outcome(1));
  setPace(4_096);
  sessions.acknowledge(outcome(2));
  expect(acks.map((ack) => ack.paceBytesPerSecond)).toEqual([0, 4_096]);
});

test('somebody who looks at a terminal gets its samples sooner, from now and for a minute', () => {
  const { sessions, open, acks, greetings, passMs } = setUp();
  sessions.subscribe(open(), 'ack');
  sessions.acknowledge(outcome(1));
  sessions.watch('lane-1');
  expect(acks.map(({ sendEveryMs }) => sendEveryMs)).toEqual([0]);
  expect(greetings.map(({ sendEveryMs }) => sendEveryMs)).toEqual([0, 15_000]);
  passMs(WATCHED_MS - 1);
  sessions.watch('lane-1');
  expect(greetings).toHaveLength(2);
  passMs(WATCHED_MS - 1);
  sessions.acknowledge(outcome(2));
  passMs(1);
  sessions.acknowledge(outcome(3));
  expect(acks.slice(1).map(({ sendEveryMs }) => sendEveryMs)).toEqual([15_000, 0]);
});

test('a terminal that is looked at before it connects is told with its greeting', () => {
  const { sessions, open, greetings } = setUp();
  sessions.watch('lane-1');
  sessions.subscribe(open(), 'ack');
  sessions.watch('lane-1');
  expect(greetings.map(({ sendEveryMs }) => sendEveryMs)).toEqual([15_000]);
});

test('terminals that are looked at are remembered up to a number', () => {
  const { sessions, open, acks } = setUp();
  sessions.subscribe(open(), 'ack');
  sessions.watch('lane-1');
  for (let n = 0; n < WATCHED_MAX; n += 1) sessions.watch(`other-${n}`);
  sessions.acknowledge(outcome(1));
  expect(acks.map(({ sendEveryMs }) => sendEveryMs)).toEqual([0]);
});

test('who listens for acknowledgements is greeted with the time, once a session, before anything else', () => {
  const { sessions, open, acks, greetings } = setUp();
  const session = open();
  sessions.subscribe(session, 'ack');
  sessions.subscribe(session, 'ack');
  expect(greetings.map(({ brokerTimeMs, streams }) => ({ brokerTimeMs, streams }))).toEqual([
    { brokerTimeMs: 5, streams: [] },
  ]);
  expect(acks).toEqual([]);
});
