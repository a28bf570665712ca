import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countEvent, NO_TALLY, readCounter, totalOf } from '../../broker/fleet/tally.ts';
import { agentStarted, events, metrics, restarts, sale, state, tell } from './fleet-story.ts';

describe('restarts', () => {
  it('are counted by cause at once from events, and not a second time from the counter', () => {
    const story = tell(
      [1, events(1, [1, state('starting', { cause: 'hang' })])],
      [15, metrics(15, restarts(1))],
      [30, metrics(30, restarts(1))],
      [40, events(2, [40, state('starting', { cause: 'operator' })])],
    );
    expect(sale(story.at(41))).toMatchObject({
      restarts: { hang: 1, operator: 1 },
      restartsTotal: 2,
    });
  });

  it('come from the counter when events were lost', () => {
    const story = tell([15, metrics(15, restarts(4))]);
    expect(sale(story.at(16))?.restarts).toEqual({ hang: 4 });
  });

  it('do not include the first start of a component, nor a state that only has a cause', () => {
    const story = tell([
      1,
      events(1, [1, state('starting')], [1, state('ready', { cause: 'hang' })]),
    ]);
    expect(sale(story.at(2))?.restartsTotal).toBe(0);
  });

  it('of the agent are its own: its components keep their process and count none', () => {
    const story = tell(
      [1, events(1, [0, agentStarted], [1, state('ready', { pid: 77 })])],
      [15, metrics(15, ['pos_agent_starts_total', {}, 1], restarts(0))],
      [20, events(2, [20, agentStarted])],
    );
    expect(story.at(21).agent).toEqual({ version: '0.1.0', node: '24.21.0', starts: 2 });
    expect(sale(story.at(21))).toMatchObject({ pid: 77, restartsTotal: 0, state: 'ready' });
  });

  it('never sink: a counter that begins again goes on from where it was', () => {
    const story = tell(
      [15, metrics(15, restarts(3))],
      [20, events(1, [20, state('starting', { cause: 'hang' })])],
      [30, metrics(30, restarts(0))],
      [45, metrics(45, restarts(1))],
    );
    expect(sale(story.at(46))?.restartsTotal).toBe(5);
  });

  it('are told once by a counter that has heard of them a little later than the event', () => {
    // An agent counts what is on its disk, and a sample may be taken before that.
    const story = tell(
      [1, events(1, [1, state('starting', { cause: 'hang' })])],
      [3, metrics(3, restarts(0))],
      [6, metrics(6, restarts(1))],
    );
    expect(sale(story.at(7))?.restartsTotal).toBe(1);
  });

  it('are told even if the counter never hears of them', () => {
    const story = tell(
      [1, events(1, [1, state('starting', { cause: 'hang' })])],
      [3, metrics(3, restarts(0))],
      [200, metrics(200, restarts(0))],
      [260, metrics(260, restarts(1))],
    );
    expect(sale(story.at(261))?.restartsTotal).toBe(2);
  });

  it('total what a terminal really did, in whatever order its words arrive', () => {
    // A truth: restarts at some seconds, samples at others; each sample counts what was before it.
    const second = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(
        fc.uniqueArray(second, { maxLength: 12 }),
        fc.uniqueArray(second, { maxLength: 6 }),
        fc.infiniteStream(fc.nat()),
        (restartsAt, samplesAt, order) => {
          const samples = [...samplesAt, 301].map((at) => ({ at, sample: true }));
          const told = [...restartsAt.map((at) => ({ at, sample: false })), ...samples]
            .map((word) => ({ ...word, place: order.next().value }))
            .sort((a, b) => a.place - b.place);
          let tally = NO_TALLY;
          let before = 0;
          for (const { at, sample } of told) {
            const counter = restartsAt.filter((restart) => restart <= at).length;
            tally = sample ? readCounter(tally, counter, at) : countEvent(tally, at);
            expect(totalOf(tally)).toBeGreaterThanOrEqual(before);
            before = totalOf(tally);
          }
          expect(totalOf(tally)).toBe(restartsAt.length);
        },
      ),
    );
  });
});
