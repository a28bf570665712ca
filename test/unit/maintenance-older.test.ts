// Tills whose agent is older than maintenances: it refuses the argument, and is held by a plain hold instead, which is
// asked for once and ends nothing that somebody does with their hands.

import { expect, it } from 'vitest';
import { readContent } from '../../protocol/commands.ts';
import { HOUR, MINUTE, open } from './maintenance-rig.ts';

const OLD = { 'lane-1': 's-1' };
/** As an agent says it that has no such argument: the same sentence with another name. */
const read = readContent('release', { other: 'x' });
const why = read.ok ? '' : read.reason.replaceAll('other', 'maintenance');
const REFUSED = `the agent of this terminal is of version 0.0.9 and cannot do that: ${why}`;

type Room = ReturnType<typeof open>;
/** The older agent answers what there is. */
function answerAll(it: Room): Record<string, unknown>[] {
  const sent = it.sent.splice(0);
  for (const one of sent) {
    if ('maintenance' in one.args) it.answer(one, 'rejected', REFUSED);
    else it.answer(one);
  }
  return sent.map(({ kind, args }) => ({ kind, ...args }));
}
function held(): Room {
  const it = open(OLD);
  it.start('store', 's-1', 2 * HOUR);
  expect(answerAll(it)).toMatchObject([{ kind: 'hold', maintenance: expect.any(String) }]);
  return it;
}

it('is held by a plain hold of what is left, asked for once', () => {
  const it = held();
  it.pass(MINUTE);
  expect(answerAll(it)).toEqual([{ kind: 'hold', forMs: 2 * HOUR - MINUTE }]);
  for (let at = 0; at < 20; at += 1) it.pass(MINUTE);
  expect([answerAll(it), it.running()[0]?.held]).toEqual([[], 1]);
});

it('is let go when the maintenance is ended, and asked anew when it comes back', () => {
  const it = held();
  it.pass(1_000);
  answerAll(it);
  it.holders['lane-1'] = { by: 'broker', untilMs: it.time.wall + HOUR };
  it.room.terminalReady('lane-1');
  it.pass(1_000);
  expect(answerAll(it)).toMatchObject([{ kind: 'hold', maintenance: expect.any(String) }]);
  it.pass(1_000);
  expect(answerAll(it)).toMatchObject([{ kind: 'hold' }]);
  it.end('store', 's-1');
  expect(answerAll(it)).toEqual([{ kind: 'release' }]);
  it.pass(HOUR);
  expect(answerAll(it)).toEqual([]);
});

it('that somebody holds for longer is neither cut short nor let go', () => {
  const it = held();
  it.holders['lane-1'] = { by: 'technician', untilMs: it.time.wall + 8 * HOUR };
  it.pass(1_000);
  expect([answerAll(it), it.running()[0]?.held]).toEqual([[], 1]);
  it.end('store', 's-1');
  it.pass(MINUTE);
  expect(answerAll(it)).toEqual([]);
});
