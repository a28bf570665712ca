import { describe, expect, it } from 'vitest';
import { classify, failureOf, NEVER_REACHED, resume, step } from '../../agent/absence/absence.ts';
import type {
  AbsenceEvent,
  AbsenceModel,
  Failure,
  Look,
  Now,
  Told,
} from '../../agent/absence/types.ts';

const FINE: Look = { carrier: true, route: true, gateway: 'unknown' };
const PULLED: Look = { carrier: false, route: true, gateway: 'unknown' };
const NO_ROUTE: Look = { carrier: true, route: false, gateway: 'unknown' };
const DEAD_GATEWAY: Look = { ...FINE, gateway: 'silent' };
const BROKER_MS = 1_800_000_000_000;
const acknowledged = { kind: 'acknowledged', look: FINE } as const;
const up = { kind: 'up' } as const;
const down = (failure: Failure = 'unreachable', look = FINE, sentence = `it was ${failure}`) =>
  ({ kind: 'down', failure, sentence, look }) as const;

/** Now, so many seconds after boot; the broker's time is known unless it is not. */
const at = (seconds: number, isKnown = true): Now => ({
  bootMs: seconds * 1_000,
  brokerMs: isKnown ? BROKER_MS + seconds * 1_000 : undefined,
});

type Step = readonly [seconds: number, event: AbsenceEvent];
/** Reached for the first time at second 1. */
function live(...steps: readonly Step[]) {
  let model: AbsenceModel = NEVER_REACHED;
  const told: Told[] = [];
  const all: readonly Step[] = [[0, up], [1, acknowledged], ...steps];
  for (const [seconds, event] of all) {
    const next = step(model, event, at(seconds));
    model = next.model;
    if (next.told !== undefined) told.push(next.told);
  }
  return { model, told };
}
const seconds = ({ fromMs, untilMs }: Told): readonly number[] => [
  (fromMs - BROKER_MS) / 1_000,
  (untilMs - BROKER_MS) / 1_000,
];

describe('why the broker was not reached', () => {
  it.each([
    ['getaddrinfo ENOTFOUND broker.example', 'name'],
    ['getaddrinfo EAI_AGAIN broker.example', 'name'],
    ['Connection refused: Not authorized', 'refused'],
    ['the broker refused to subscribe: not allowed', 'refused'],
    ['connect ECONNREFUSED 127.0.0.1:1883', 'unreachable'],
    ['connect ENETUNREACH 203.0.113.9:8883', 'network'],
    ['the broker acknowledged nothing for 30000 ms', 'silent'],
    ['Keepalive timeout', 'silent'],
    ['the connection closed', 'unreachable'],
  ] as const)('"%s" is %s', (reason, failure) => expect(failureOf(reason)).toBe(failure));

  it.each([
    ['unreachable', PULLED, 'link_down'],
    ['name', PULLED, 'link_down'],
    ['network', NO_ROUTE, 'link_down'],
    ['unreachable', DEAD_GATEWAY, 'gateway_unreachable'],
    ['name', DEAD_GATEWAY, 'gateway_unreachable'],
    ['name', FINE, 'name_resolution'],
    ['unreachable', FINE, 'broker_unreachable'],
    ['silent', FINE, 'broker_unreachable'],
    ['refused', PULLED, 'refused'],
  ] as const)('%s with %o is %s', (failure, look, reason) =>
    expect(classify(failure, look, true)).toBe(reason),
  );

  it('is not the network where that was not needed', () => {
    expect(classify('unreachable', PULLED, false)).toBe('broker_unreachable');
  });
});

describe('an absence', () => {
  it('is told from the break to the session in which something is acknowledged', () => {
    const { told, model } = live([100, down()], [160, up], [161, acknowledged]);
    expect(told.map(seconds)).toEqual([[100, 160]]);
    expect(told[0]).toMatchObject({
      ...{ why: 'broker_unreachable', parts: { broker_unreachable: 60_000 } },
      reason: 'it was unreachable',
    });
    expect(model).toMatchObject({ away: undefined, isReached: true });
  });

  it('has parts, of which the longest is why', () => {
    const story = live(
      ...[[100, down('unreachable', PULLED)] as const, [400, down('name')] as const],
      ...[[7_600, down('unreachable')] as const, [7_700, up] as const],
      [7_701, acknowledged],
    );
    expect(story.told[0]).toMatchObject({
      why: 'name_resolution',
      parts: { link_down: 300_000, name_resolution: 7_200_000, broker_unreachable: 100_000 },
      reason: 'it was name',
    });
  });

  it('goes on when a session comes to nothing', () => {
    const { told } = live([100, down()], [150, up], [180, down()], [200, up], [201, acknowledged]);
    expect(told.map(seconds)).toEqual([[100, 200]]);
  });

  it('notices between tries that the network went', () => {
    const { told } = live(
      ...[[100, down()] as const, [110, { kind: 'looked', look: FINE }] as const],
      ...[[120, { kind: 'looked', look: PULLED }] as const, [300, up] as const],
      [300, acknowledged],
    );
    expect(told[0]?.parts).toEqual({ broker_unreachable: 20_000, link_down: 180_000 });
  });

  it('that was noticed by silence began at the last sign', () => {
    const { told } = live(
      [70, acknowledged],
      [100, down('silent')],
      [130, up],
      [131, acknowledged],
    );
    expect(told.map(seconds)).toEqual([[70, 130]]);
  });

  it('is not told before the time of the broker is known', () => {
    const gone = live([100, down()]).model;
    const early = step(gone, acknowledged, at(200, false));
    expect(early.told).toBeUndefined();
    expect(early.model.away).toBeDefined();
    expect(step(early.model, acknowledged, at(210)).told).toBeDefined();
  });

  it('is none before the broker was ever reached', () => {
    const tried = step(NEVER_REACHED, down(), at(100)).model;
    expect(step(tried, acknowledged, at(500)).told).toBeUndefined();
  });

  it('counts sleep as off', () => {
    const asleep = { kind: 'slept', ms: 3_600_000 } as const;
    const { told } = live([4_000, asleep], [4_010, down()], [4_020, up], [4_021, acknowledged]);
    expect(told.map(seconds)).toEqual([[400, 4_020]]);
    expect(told[0]).toMatchObject({ why: 'power', reason: 'the machine slept' });
    const survived = live([100, { kind: 'slept', ms: 15_000 }], [101, acknowledged]).told;
    expect(survived.map(seconds)).toEqual([[85, 100]]);
  });
});

describe('a new agent', () => {
  const reached = live().model;
  const before = { isSameBoot: true, model: reached, bootMs: 500_000, ended: undefined };

  it('of the same boot was not running meanwhile', () => {
    const model = resume({ ...before, brokerMs: BROKER_MS + 500_000 }, at(560, false));
    const connected = step(model, up, at(561, false)).model;
    const { told } = step(connected, acknowledged, at(562));
    expect(told && seconds(told)).toEqual([500, 561]);
    expect(told).toMatchObject({ why: 'agent_stopped', reason: 'the agent did not run' });
  });

  it('goes on with an absence that was open, and its parts', () => {
    const { model } = live([100, down('name')]);
    const next = resume({ ...before, model, brokerMs: undefined }, at(560, false));
    const failed = step(next, down('refused'), at(600, false)).model;
    const { told } = step(step(failed, up, at(700)).model, acknowledged, at(700));
    expect(told && seconds(told)).toEqual([100, 700]);
    expect(told?.parts).toEqual({
      ...{ name_resolution: 400_000, agent_stopped: 100_000, refused: 100_000 },
    });
  });

  it('of another boot was cut off, or ended in good order; nobody measured, the broker tells', () => {
    const other = { ...before, isSameBoot: false, brokerMs: BROKER_MS + 500_000 };
    const back = (ended: string | undefined): Told | undefined => {
      // Its clocks began anew: 40 s after boot, 7 200 s after it was last alive.
      const model = resume({ ...other, ended }, { bootMs: 40_000, brokerMs: undefined });
      const brokerMs = BROKER_MS + 7_700_000;
      return step(model, acknowledged, { bootMs: 50_000, brokerMs }).told;
    };
    expect(back(undefined)).toMatchObject({
      ...{ why: 'power', fromMs: BROKER_MS + 500_000, untilMs: BROKER_MS + 7_700_000 },
      parts: { power: 7_200_000 },
    });
    expect(back('SIGTERM')).toMatchObject({
      why: 'agent_stopped',
      reason: 'the agent ended: SIGTERM',
    });
  });

  it('of one that never reached its broker begins with nothing', () => {
    const never = { ...before, model: NEVER_REACHED, brokerMs: undefined };
    expect(resume(never, at(900, false))).toEqual(NEVER_REACHED);
  });

  it('keeps what the first of several boots knew', () => {
    const { model } = live([100, down('name')]);
    const other = { ...before, isSameBoot: false, ended: undefined };
    const second = resume({ ...other, model, brokerMs: undefined }, { ...at(30, false) });
    const tried = step(second, down('name'), at(40, false)).model;
    const third = resume(
      { ...other, model: tried, bootMs: 90_000, brokerMs: undefined },
      at(20, false),
    );
    const brokerMs = BROKER_MS + 10_000_000;
    const { told } = step(third, acknowledged, { bootMs: 60_000, brokerMs });
    expect(told).toMatchObject({ fromMs: BROKER_MS + 100_000, untilMs: brokerMs, why: 'power' });
    const sum = Object.values(told?.parts ?? {}).reduce((a, b) => a + b, 0);
    expect(sum).toBe(brokerMs - BROKER_MS - 100_000);
  });

  it('makes no nonsense of a broker whose time went back', () => {
    const other = { ...before, isSameBoot: false, brokerMs: BROKER_MS + 1e12 };
    const model = resume(other, { bootMs: 40_000, brokerMs: undefined });
    const { told } = step(model, acknowledged, { bootMs: 50_000, brokerMs: BROKER_MS });
    expect(told).toMatchObject({ fromMs: BROKER_MS - 50_000, untilMs: BROKER_MS });
  });
});
