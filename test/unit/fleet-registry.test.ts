import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COMPONENTS_MAX,
  type FleetEvent,
  newTerminal,
  type TerminalModel,
} from '../../broker/fleet/model.ts';
import { step } from '../../broker/fleet/registry.ts';
import { countEvent, NO_TALLY, readCounter, totalOf } from '../../broker/fleet/tally.ts';
import { restartCounts, type TerminalView, viewOf } from '../../broker/fleet/view.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { EPOCH, happened, PRESENCE, START_MS } from './fleet-rig.ts';

type Batch = Extract<FleetEvent, { kind: 'batch' }>;

/** A story: steps of one terminal, each with the second at which the broker saw it. */
function tell(...steps: readonly (readonly [seconds: number, event: FleetEvent])[]) {
  let model: TerminalModel = newTerminal('lane-1', 'berlin', true);
  const effects = steps.flatMap(([seconds, event]) => {
    const next = step(model, event, START_MS + seconds * 1_000, PRESENCE);
    model = next.model;
    return next.effects;
  });
  const at = (seconds: number): TerminalView => viewOf(model, START_MS + seconds * 1_000, PRESENCE);
  return { model, effects, at };
}

function batch(seconds: number, content: Batch['content'], more: Partial<Batch> = {}): Batch {
  const receivedMs = START_MS + seconds * 1_000;
  const facts = { epoch: EPOCH, seq: 1, receivedMs, createdMs: receivedMs, clockOffsetMs: 0 };
  return { kind: 'batch', ...facts, content, ...more };
}

/** Events at their seconds, received at the last one unless said. */
function events(seq: number, ...list: readonly (readonly [number, NewEvent])[]): Batch {
  const last = Math.max(...list.map(([seconds]) => seconds));
  const placed = list.map(([seconds, event], index) => ({
    ...happened(START_MS + seconds * 1_000, event),
    index,
  }));
  return batch(last, { stream: 'events', events: placed }, { seq });
}

type To = { cause?: 'hang' | 'crash' | 'operator'; version?: string; pid?: number };
const state = (
  to: 'starting' | 'ready' | 'suspect' | 'backoff' | 'stopped',
  { cause, version = '1.0', pid }: To = {},
  component = 'sale',
): NewEvent => ({
  kind: 'component_state',
  component,
  fields: {
    from: 'ready',
    to,
    reason: `now ${to}`,
    version,
    ...(cause && { cause }),
    ...(pid && { pid }),
  },
});
const incident = (kind: 'incident_opened' | 'incident_quarantined', id: string): NewEvent => ({
  kind,
  component: 'sale',
  fields: { incident: id, cause: 'hang', reason: 'no beat', version: '1.0', attempts: 1 },
});
const recovered = (id: string): NewEvent => ({
  kind: 'incident_recovered',
  component: 'sale',
  fields: { incident: id, cause: 'hang', detectedMs: 2_000, readyMs: 3_000, attempts: 1 },
});
const agentStarted: NewEvent = {
  kind: 'agent_started',
  component: '',
  fields: { version: '0.1.0', node: '24.21.0', bootId: 'b', adopted: ['sale'] },
};

function metrics(seconds: number, ...samples: readonly [string, Record<string, string>, number][]) {
  const timeMs = START_MS + seconds * 1_000;
  const list = samples.map(([name, labels, value]) => ({ name, labels, value }));
  return batch(seconds, { stream: 'metrics', snapshots: [{ timeMs, samples: list }] });
}
const restarts = (value: number, cause = 'hang') =>
  ['pos_component_restarts_total', { component: 'sale', cause, version: '1.0' }, value] as [
    string,
    Record<string, string>,
    number,
  ];

const sale = (view: TerminalView) => view.components.find(({ name }) => name === 'sale');

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
