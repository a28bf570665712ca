import { describe, expect, it } from 'vitest';
import { newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import { learn, NO_PULSE, type Pulse, patienceOf } from '../../broker/fleet/presence.ts';
import { step } from '../../broker/fleet/registry.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { PRESENCE, START_MS } from './fleet-rig.ts';
import { agentStarted, batch, events, metrics, moment, tell } from './fleet-story.ts';

const live = (seconds: number) => metrics(seconds, ['pos_host_load1', {}, 1]);
const old = (seconds: number, ageSeconds: number) => ({
  ...metrics(seconds - ageSeconds, ['pos_host_load1', {}, 1]),
  receivedMs: START_MS + seconds * 1_000,
  arrivedMs: seconds * 1_000,
  createdMs: START_MS + seconds * 1_000,
});
const opened = { kind: 'opened' } as const;
const lost = { kind: 'closed', why: 'lost' } as const;
/** Live batches each so many seconds, from one time to another. */
const beats = (from: number, to: number, every: number) =>
  Array.from({ length: Math.floor((to - from) / every) + 1 }, (_, index) => {
    const at = from + index * every;
    return [at, live(at)] as const;
  });
const started = (sendMs: number): NewEvent =>
  ({ ...agentStarted, fields: { ...agentStarted.fields, sendMs } }) as NewEvent;

describe('the time that a terminal gets', () => {
  it('is what the settings say for one that sends so often that one may be missing', () => {
    for (const meanMs of [0, 15_000, 54_000]) {
      const pulse: Pulse = { meanMs, deviationMs: meanMs / 100, saidMs: 0 };
      expect(patienceOf(pulse, PRESENCE)).toEqual({ lateMs: 90_000, lostMs: 300_000 });
    }
  });

  it('grows with a slower and with a less even rhythm, up to its bound', () => {
    const slow = patienceOf({ meanMs: 600_000, deviationMs: 1_000, saidMs: 0 }, PRESENCE);
    expect(slow).toEqual({ lateMs: 1_000_000, lostMs: 10_000_000 / 3 });
    const uneven = patienceOf({ meanMs: 60_000, deviationMs: 20_000, saidMs: 0 }, PRESENCE);
    expect(uneven.lateMs).toBe(140_000);
    const daily = patienceOf({ meanMs: 0, deviationMs: 0, saidMs: 86_400_000 }, PRESENCE);
    expect(daily.lostMs).toBe(2 * 3_600_000);
    const bound = { ...PRESENCE, silentMsMax: 600_000 };
    expect(patienceOf({ meanMs: 0, deviationMs: 0, saidMs: 86_400_000 }, bound)).toEqual({
      lateMs: 180_000,
      lostMs: 600_000,
    });
  });

  it('is learned from intervals as a round trip time is, and one night teaches nothing', () => {
    let pulse = learn(NO_PULSE, 60_000, PRESENCE);
    expect(pulse).toEqual({ meanMs: 60_000, deviationMs: 7_500, saidMs: 0 });
    for (let i = 0; i < 99; i += 1) pulse = learn(pulse, 60_000, PRESENCE);
    expect(pulse.deviationMs).toBeLessThan(400);
    expect(learn(pulse, 10, PRESENCE)).toBe(pulse);
    expect(learn(pulse, 8 * 3_600_000, PRESENCE).meanMs).toBeLessThanOrEqual(100_000);
  });
});

describe('presence', () => {
  it('follows a terminal that says that it sends each ten minutes, from its first word on', () => {
    const story = tell([0, opened], [1, events(1, [1, started(600_000)])]);
    expect([story.at(1_001), story.at(1_002), story.at(3_335)].map((v) => v.presence)).toEqual([
      ...['online', 'late', 'lost'],
    ]);
  });

  it('follows one that changes from 15 s to 60 s without a word', () => {
    const story = tell([0, opened], ...beats(0, 600, 15), ...beats(660, 1_200, 60));
    expect(story.effects.map(({ to }) => to)).toEqual(['online']);
  });

  it('learns ten minutes from one that does not say so, after one false alarm at most', () => {
    const ticks = Array.from({ length: 600 }, (_, i) => [600 + i * 10, { kind: 'tick' }] as const);
    const steps = [[0, opened] as const, ...beats(0, 600, 60), ...beats(1_200, 6_600, 600)];
    const story = tell(...[...steps, ...ticks].sort((a, b) => a[0] - b[0]));
    expect(story.effects.filter(({ to }) => to === 'late').length).toBeLessThanOrEqual(2);
    expect(story.effects.filter(({ to }) => to === 'online').length).toBeLessThanOrEqual(3);
    expect(story.model.pulse.meanMs).toBeGreaterThan(400_000);
  });

  it('takes backlog for a sign of life and not for a rhythm', () => {
    const burst = Array.from({ length: 20 }, (_, i) => [600 + i, old(600 + i, 86_400)] as const);
    const quiet = tell([0, opened], ...beats(0, 540, 60));
    const story = tell([0, opened], ...beats(0, 540, 60), ...burst);
    expect(story.model.pulse).toEqual(quiet.model.pulse);
    expect(story.at(619 + 90).presence).toBe('online');
    expect(story.at(619 + 145).presence).toBe('late');
  });

  it('does not take the night for a rhythm', () => {
    const evening = tell([0, opened], ...beats(0, 600, 60)).model.pulse;
    const story = tell(
      ...[[0, opened] as const, ...beats(0, 600, 60), [690, lost] as const],
      ...[[30_000, opened] as const, [30_000, live(30_000)] as const],
      ...beats(30_060, 30_600, 60),
    );
    expect(story.at(8_000).presence).toBe('online'); // told of a later time; it is back
    expect(story.model.pulse.meanMs).toBeCloseTo(evening.meanMs, 0);
  });

  it('is late sooner once its session broke, and never lost by that alone', () => {
    const story = tell([0, opened], [60, live(60)], [61, lost]);
    expect([91, 97, 359, 395].map((at) => story.at(at).presence)).toEqual([
      ...['online', 'late', 'late', 'lost'],
    ]);
    const back = tell([0, opened], [60, live(60)], [61, lost], [80, opened]);
    expect(back.at(120).presence).toBe('online');
  });

  it('is lost at once where the broker itself threw it out, until it has a session again', () => {
    const cut = { kind: 'closed', why: 'cut' } as const;
    // What had come before the end is applied after it.
    const story = tell([0, opened], [1, live(1)], [2, cut], [2.1, live(2)]);
    expect([story.at(2.2).presence, story.at(3).presence]).toEqual(['lost', 'lost']);
    expect(tell([0, opened], [1, live(1)], [2, cut], [9, opened]).model.presence).toBe('online');
    expect(tell([2, cut]).model.presence).toBe('never');
  });

  it('is not kept by sessions in which nothing is ever said', () => {
    const knocks = Array.from(
      { length: 20 },
      (_, i) => [[i * 20, opened] as const, [i * 20 + 10, lost] as const] as const,
    ).flat();
    const story = tell([0, live(0)], ...knocks);
    expect(story.at(400).presence).toBe('lost');
  });

  it('gets better by a sign of life alone: no setting and no start makes the dead live', () => {
    const dead = tell([0, opened], [400, { kind: 'tick' }]).model;
    expect(dead.presence).toBe('lost');
    const patient = { lateMs: 3_600_000, lostMs: 7_200_000 };
    expect(step(dead, { kind: 'tick' }, moment(500), patient).model.presence).toBe('lost');
    const fair = moment(500, { fairMs: 400_000 });
    expect(step(dead, { kind: 'tick' }, fair, PRESENCE).model.presence).toBe('lost');
    const replayed = batch(600, { stream: 'logs' }, { arrivedMs: 50_000 });
    expect(step(dead, replayed, moment(600), PRESENCE).model.presence).toBe('lost');
  });

  it('does not get worse by silence that nobody could have heard', () => {
    const seen = tell([0, opened]).model;
    const at = (seconds: number, more: Parameters<typeof moment>[1]): TerminalModel =>
      step(seen, { kind: 'tick' }, moment(seconds, more), PRESENCE).model;
    expect(at(1_000, { fairMs: 950_000 }).presence).toBe('online');
    expect(at(1_000, { fairMs: 900_000 }).presence).toBe('late');
    expect(at(1_000, { heardMs: 60_000 }).presence).toBe('online');
  });

  it('of a record of an older broker is what it was until it is heard again', () => {
    const { pulse: _p, run: _r, ...older } = newTerminal('t', 's', true);
    const revived = { ...newTerminal('t', 's', true), ...older, presence: 'online' as const };
    const start = moment(0, { fairMs: 0 });
    expect(step(revived, { kind: 'tick' }, start, PRESENCE).model.presence).toBe('online');
    const later = moment(301, { fairMs: 0 });
    expect(step(revived, { kind: 'tick' }, later, PRESENCE).model.presence).toBe('lost');
  });
});

describe('the clock of a terminal', () => {
  const nothing = { stream: 'logs' } as const;
  const clockAfter = (more: object, at = 1) =>
    tell([at, batch(at, nothing, more)]).at(at) as { clockSkewMs?: number; clockLeftMs?: number };

  it('is told from what it corrects', () => {
    const day = 86_400_000;
    expect(clockAfter({ clockOffsetMs: -day })).toMatchObject({ clockSkewMs: day, clockLeftMs: 0 });
  });

  it('is told from its first batch, which it could not correct yet', () => {
    const aheadMs = 3_600_000;
    const createdMs = START_MS + 1_000 + aheadMs;
    expect(clockAfter({ createdMs })).toMatchObject({
      ...{ clockSkewMs: aheadMs, clockLeftMs: aheadMs },
    });
    expect(clockAfter({ createdMs: 1_000 }).clockSkewMs).toBe(-START_MS);
  });

  it('is not told from a batch that waited, nor from what a line takes', () => {
    expect(clockAfter({ createdMs: START_MS - 500 }).clockSkewMs).toBe(0);
    const waited = batch(90, nothing, { createdMs: START_MS, clockOffsetMs: -5_000 });
    const story = tell([1, batch(1, nothing, { clockOffsetMs: -5_000 })], [90, waited]);
    expect(story.at(90).clockSkewMs).toBe(5_000);
  });
});
