// An answer that ends in the middle of a line: what was not looked at yet is looked at before it stays.

import { describe, expect, it } from 'vitest';
import { CARD, chunkOf, lineOf, wire } from './logs-wire.ts';

type Rig = Awaited<ReturnType<typeof wire>>;

const START = `${lineOf('all is well')}2027-01-15T08:00:01.000Z W [sale] paid by ${CARD} at n`;
const ENDS: readonly (readonly [string, (rig: Rig, id: string) => unknown])[] = [
  ['is cancelled', (rig, id) => rig.cancel(id)],
  ['fails at its terminal', (rig, id) => rig.say(id, 'failed', 'no room')],
  [
    'goes on with garbage',
    (rig, id) => rig.heard(chunkOf(id, START.length, 'x', { redactor: '' })),
  ],
];

describe('half a line with a card in it', () => {
  it.each(ENDS)('does not stay when the request %s', async (_, end) => {
    const rig = await wire();
    const id = await rig.ask();
    expect(rig.heard(chunkOf(id, 0, START))).toBe(START.length);
    await end(rig, id);
    expect(rig.stored(id)).toBe(START.replace(CARD, '*'.repeat(CARD.length)));
    expect(await rig.view(id)).toMatchObject({ bytes: START.length, missed: 1 });
    expect(await rig.counted('tillwatch_log_missed_total')).toBe(1);
  });
});
