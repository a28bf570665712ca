import { describe, expect, it } from 'vitest';
import { COMPONENTS_MAX, type FleetEvent, newTerminal } from '../../broker/fleet/model.ts';
import { step } from '../../broker/fleet/registry.ts';
import { restartCounts } from '../../broker/fleet/view.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { PRESENCE, START_MS } from './fleet-rig.ts';
import {
  batch,
  events,
  incident,
  metrics,
  moment,
  recovered,
  restarts,
  sale,
  state,
  tell,
} from './fleet-story.ts';

describe('presence', () => {
  it('is never until the first sign, then online, late and lost by silence alone', () => {
    const story = tell([0, { kind: 'opened' }]);
    expect(tell().at(1_000).presence).toBe('never');
    expect(
      [story.at(90), story.at(91), story.at(300), story.at(301)].map((v) => v.presence),
    ).toEqual(['online', 'late', 'late', 'lost']);
  });

  it('is told once at each change, by the tick too', () => {
    const tick: FleetEvent = { kind: 'tick' };
    const story = tell([0, { kind: 'opened' }], [50, tick], [91, tick], [92, tick], [400, tick]);
    expect(story.effects.map(({ from, to }) => `${from}>${to}`)).toEqual([
      'never>online',
      'online>late',
      'late>lost',
    ]);
  });

  it('stays online over a reconnect, and survives the old session ending after the new one', () => {
    const story = tell(
      [0, { kind: 'opened' }],
      [10, { kind: 'opened' }],
      [11, { kind: 'closed', why: 'taken_over' }],
    );
    expect(story.at(12)).toMatchObject({ presence: 'online', connected: true, closed: undefined });
  });

  it('is not prolonged by the end of a session, which may be noticed long after the last sign', () => {
    const story = tell([0, { kind: 'opened' }], [89, { kind: 'closed', why: 'lost' }]);
    expect(story.at(91)).toMatchObject({ presence: 'late', connected: false });
    expect(story.at(91).closed).toEqual({ why: 'lost', timeMs: START_MS + 89_000 });
  });
});

describe('components', () => {
  it('take state, process, version and reason from the newest event', () => {
    const story = tell(
      [1, events(1, [0, state('starting')], [1, state('ready', { pid: 77 })])],
      [9, events(2, [9, state('backoff', { cause: 'hang' })])],
    );
    expect(sale(story.at(10))).toMatchObject({
      state: 'backoff',
      lastReason: 'now backoff',
      lastCause: 'hang',
      pid: undefined,
      sinceMs: START_MS + 9_000,
    });
  });

  it('are not put back by an older batch that arrives late, whatever its clock said', () => {
    const old = events(1, [500, state('suspect')]);
    const story = tell([9, events(2, [9, state('ready')])], [600, { ...old }]);
    expect(sale(story.at(600))?.state).toBe('ready');
  });

  it('of an older outbox do not overwrite what a newer one said later', () => {
    const old = { ...events(9, [5, state('suspect')]), epoch: 'b2'.repeat(16) };
    const story = tell([9, events(1, [9, state('ready')])], [10, old]);
    expect(sale(story.at(10))?.state).toBe('ready');
  });

  it('are not frozen by an event from a clock that ran a year ahead', () => {
    const ahead = { ...events(9, [31_536_000, state('suspect')]), epoch: 'b2'.repeat(16) };
    const story = tell(
      [1, { ...ahead, receivedMs: START_MS + 1_000 }],
      [5, events(1, [5, state('ready')])],
    );
    expect(sale(story.at(6))?.state).toBe('ready');
  });

  it('are put right by a sample when the event was lost, but not by one of the same moment', () => {
    const sample: [string, Record<string, string>, number] = [
      'pos_component_state',
      { component: 'sale', state: 'ready' },
      1,
    ];
    const begun = [1, events(1, [1, state('starting')])] as const;
    expect(sale(tell(begun, [2, metrics(2, sample)]).at(3))?.state).toBe('starting');
    expect(sale(tell(begun, [20, metrics(20, sample)]).at(21))?.state).toBe('ready');
  });

  it('leave the view when a newer inventory does not name them, and keep their restarts', () => {
    const inventory = (...names: string[]): NewEvent => ({
      kind: 'inventory',
      component: '',
      fields: {
        agent: '0.1.0',
        os: 'Linux',
        hostname: 'till',
        components: names.map((name) => ({ name, version: '2.0' })),
      },
    });
    const story = tell(
      [1, events(1, [1, inventory('sale', 'sync')], [1, state('starting', { cause: 'crash' })])],
      [2, events(2, [2, inventory('sync')])],
    );
    expect(story.at(3).components.map(({ name }) => name)).toEqual(['sync']);
    expect(restartCounts(story.model)).toEqual([
      { component: 'sale', cause: 'crash', version: '1.0', count: 1 },
    ]);
  });

  it('may be called constructor, and are bounded in number', () => {
    const names = Array.from({ length: COMPONENTS_MAX + 20 }, (_, index) => `c${index}`);
    const many = events(2, ...names.map((name) => [1, state('ready', {}, name)] as const));
    const story = tell([1, events(1, [1, state('ready', {}, 'constructor')])], [2, many]);
    const views = story.at(3).components;
    expect(views.length).toBe(COMPONENTS_MAX);
    expect(views.find(({ name }) => name === 'constructor')?.state).toBe('ready');
  });

  it('with names that are no names change nothing and are counted as events', () => {
    const story = tell([
      1,
      events(1, [1, state('ready', {}, '__proto__')], [1, state('ready', {}, '../x')]),
    ]);
    expect(story.at(2)).toMatchObject({ components: [], events: 2 });
  });
});

describe('incidents', () => {
  it('are open until recovered, also when quarantined', () => {
    const begun = tell([1, events(1, [1, incident('incident_opened', 'i1')])]);
    expect(begun.at(2).openIncidents).toMatchObject([{ incident: 'i1', component: 'sale' }]);
    const worse = tell(
      [1, events(1, [1, incident('incident_opened', 'i1')])],
      [9, events(2, [9, incident('incident_quarantined', 'i1')])],
    );
    expect(worse.at(9).openIncidents).toMatchObject([
      { quarantined: true, openedMs: START_MS + 1_000 },
    ]);
    const over = tell(
      [1, events(1, [1, incident('incident_opened', 'i1')])],
      [9, events(2, [9, recovered('i1')])],
    );
    expect(over.at(9).openIncidents).toEqual([]);
  });

  it('do not come back when their opening arrives after their end', () => {
    const story = tell(
      [9, events(2, [9, recovered('i1')])],
      [10, events(1, [1, incident('incident_opened', 'i1')])],
    );
    expect(story.at(10).openIncidents).toEqual([]);
  });

  it('of a component that is not configured any more ail nobody', () => {
    const inventory = (...names: string[]): NewEvent => ({
      kind: 'inventory',
      component: '',
      fields: {
        agent: '0.1.0',
        os: 'Linux',
        hostname: 'till',
        components: names.map((name) => ({ name, version: '1.0' })),
      },
    });
    const story = tell(
      [1, events(1, [1, inventory('sale', 'sync')], [1, incident('incident_opened', 'i1')])],
      [9, events(2, [9, inventory('sync')])],
    );
    expect(story.at(9).openIncidents).toEqual([]);
  });

  it('are open again when the component failed again before it was stable', () => {
    const opened = incident('incident_opened', 'i1');
    const first = events(1, [1, opened], [9, recovered('i1')]);
    const again = events(2, [11, opened]);
    const spent = events(3, [12, recovered('i1')], [13, opened]);
    const human = events(4, [13, incident('incident_quarantined', 'i1')]);
    expect(tell([9, first], [11, again]).at(11).openIncidents).toMatchObject([{ incident: 'i1' }]);
    // Whatever order they come in, the newest word counts.
    for (const order of [
      [first, again, spent, human],
      [human, spent, again, first],
      [again, human, first, spent],
    ]) {
      const story = tell(...order.map((one) => [14, one] as const));
      expect(story.at(14).openIncidents).toMatchObject([{ incident: 'i1', quarantined: true }]);
    }
    const over = events(5, [90, recovered('i1')]);
    for (const order of [
      [first, again, spent, human, over],
      [over, human, spent, again, first],
    ]) {
      const story = tell(...order.map((one) => [91, one] as const));
      expect(story.at(91).openIncidents).toEqual([]);
    }
  });
});

describe('an incident whose agent ended, or whose machine was rebooted for it', () => {
  const opened = events(1, [1, incident('incident_opened', 'i1')]);
  const back = events(2, [90, state('ready')]);

  it('is over when the component is ready under the next, which knows nothing of it', () => {
    expect(tell([1, opened], [90, back]).at(90).openIncidents).toEqual([]);
    expect(tell([90, back], [91, opened]).at(91).openIncidents).toEqual([]);
  });

  it('is not over by what was so before it', () => {
    const before = events(1, [1, state('ready')]);
    const then = events(2, [2, incident('incident_opened', 'i1')], [3, state('backoff')]);
    for (const order of [
      [before, then],
      [then, before],
    ]) {
      const story = tell(...order.map((one) => [4, one] as const));
      expect(story.at(4).openIncidents).toMatchObject([{ incident: 'i1' }]);
    }
  });
});

describe('a terminal that invents', () => {
  it('components with incidents is bounded, and what it has can still end', () => {
    const named = (name: string) => ({ ...incident('incident_opened', name), component: name });
    const names = Array.from({ length: COMPONENTS_MAX + 20 }, (_, index) => `c${index}`);
    const many = events(1, ...names.map((name) => [1, named(name)] as const));
    const ended = { ...recovered('c3'), component: 'c3' };
    const story = tell([1, many], [2, events(2, [2, ended])]);
    expect(story.at(2).openIncidents.length).toBe(COMPONENTS_MAX - 1);
  });

  it('a creation time far ahead does not keep its clock offset for ever', () => {
    const nothing = { stream: 'logs' } as const;
    const yearAhead = START_MS + 366 * 86_400_000;
    const story = tell(
      [1, batch(1, nothing, { createdMs: yearAhead, clockOffsetMs: 0 })],
      [60, batch(60, nothing, { seq: 2, clockOffsetMs: -31_000 })],
    );
    expect(story.at(60).clockOffsetMs).toBe(-31_000);
  });
});

describe("the broker's own clock", () => {
  it('set back or forth by an hour makes nobody late and keeps nobody online', () => {
    for (const jumpMs of [-3_600_000, 3_600_000]) {
      const seen = step(newTerminal('t', 's', true), { kind: 'opened' }, moment(0), PRESENCE).model;
      const at = (seconds: number) => {
        const { wallMs } = moment(seconds);
        return step(seen, { kind: 'tick' }, moment(seconds, { wallMs: wallMs + jumpMs }), PRESENCE)
          .model;
      };
      expect([at(90).presence, at(91).presence, at(301).presence]).toEqual([
        'online',
        'late',
        'lost',
      ]);
      expect(at(90).lastSeenMs).toBe(START_MS + Math.min(0, jumpMs + 90_000));
    }
  });
});

describe('samples', () => {
  it('of a backlog are counted and change nothing that is newer', () => {
    const story = tell([60, metrics(60, restarts(2))], [61, metrics(30, restarts(1))]);
    expect(story.at(62)).toMatchObject({ samples: 2 });
    expect(sale(story.at(62))?.restartsTotal).toBe(2);
  });

  it('bring the clock offset of the newest batch', () => {
    const newest = { ...metrics(60), clockOffsetMs: 500, createdMs: START_MS + 60_000 };
    const old = { ...metrics(61), clockOffsetMs: -9, createdMs: START_MS };
    expect(tell([60, newest], [61, old]).at(62).clockOffsetMs).toBe(500);
  });
});
