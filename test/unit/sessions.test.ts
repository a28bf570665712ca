import { expect, test } from 'vitest';
import { createSessions, type Session } from '../../broker/mqtt/sessions.ts';

function setUp() {
  let ready = 0;
  const sessions = createSessions({
    clock: { wallMs: () => 5 },
    generation: new Uint8Array(16),
    onOpened: () => {},
    onClosed: () => {},
    onCommandReady: () => {
      ready += 1;
    },
  });
  const sent: string[] = [];
  const open = (): Session =>
    sessions.open('lane-1', {
      address: '127.0.0.1',
      send: (topic, _payload, done) => {
        sent.push(topic);
        done();
      },
      close: () => {},
    }).session;
  return { sessions, open, sent, ready: () => ready };
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
