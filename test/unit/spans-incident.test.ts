import { describe, expect, it } from 'vitest';
import { traceReboot, traceStep } from '../../agent/telemetry/spans-incident.ts';
import {
  type EndedSpan,
  MOMENTS_MAX,
  NO_TRACK,
  SPANS_PER_INCIDENT_MAX,
  type Track,
  traceOfIncident,
} from '../../agent/telemetry/spans-track.ts';
import { type Story, tell } from './watchdog-story.ts';

/** Everything that a story leaves in the traces. */
function traced(story: Story, from: Track = NO_TRACK) {
  let track = from;
  let dropped = 0;
  let ids = 0;
  const newId = (): string => {
    ids += 1;
    return ids.toString(16).padStart(16, '0');
  };
  const spans: EndedSpan[] = [];
  for (const stepped of story.steps) {
    const next = traceStep(track, stepped, newId);
    track = next.track;
    dropped += next.dropped;
    spans.push(...next.spans);
  }
  const named = (name: string): EndedSpan[] => spans.filter((span) => span.name === name);
  return { spans, named, track, dropped, names: spans.map(({ name }) => name) };
}

/** A healthy component hangs and comes back. */
function hang(changes: Parameters<typeof tell>[0] = {}, ms = 10_000): Story {
  const story = tell(changes);
  story.run();
  story.pass(ms, 'blocked', () => story.lives() > 1);
  story.pass(5_000, 'healthy');
  return story;
}

const lieWithin = (spans: readonly EndedSpan[], root: EndedSpan): void => {
  for (const span of spans) {
    expect(span.traceId).toBe(root.traceId);
    expect(span.startAt).toBeGreaterThanOrEqual(root.startAt);
    expect(span.endAt).toBeLessThanOrEqual(root.endAt);
    expect(span.endAt).toBeGreaterThanOrEqual(span.startAt);
    if (span !== root) expect(span.parentSpanId).toBe(root.spanId);
  }
};

describe('the trace of an incident', () => {
  it('tells a hang from its last sign of health until it is ready again, in this order', () => {
    const story = hang();
    const { spans, named, names } = traced(story);
    expect(names).toEqual([
      'failure',
      'suspicion',
      'evidence',
      'evidence',
      'decision',
      'kill',
      'start',
      'ready',
      'incident',
    ]);
    const [root] = named('incident');
    if (root === undefined) throw new Error('no root');
    lieWithin(spans, root);
    const [opened] = story.reports('incident_opened');
    const [recovered] = story.reports('incident_recovered');
    expect(root.attributes).toMatchObject({
      'tillwatch.incident': opened?.['incident'],
      'tillwatch.component': 'sale',
      'tillwatch.cause': 'hang',
      'tillwatch.attempts': 1,
    });
    expect(root.traceId).toBe(traceOfIncident(String(opened?.['incident'])));
    expect(root.status).toEqual({ code: 'ok' });
    expect(root.parentSpanId).toBeUndefined();
    // The very times that the event tells.
    expect(root.endAt - root.startAt).toBe(recovered?.['readyMs']);
    const [failure] = named('failure');
    const [suspicion] = named('suspicion');
    const [decision] = named('decision');
    const [kill] = named('kill');
    expect(failure?.endAt).toBe(suspicion?.startAt);
    expect((suspicion?.endAt ?? 0) - root.startAt).toBe(recovered?.['detectedMs']);
    expect(decision?.startAt).toBe(suspicion?.endAt);
    expect(kill?.startAt).toBe(story.kills()[0]?.at);
    expect(decision?.attributes['tillwatch.proofs']).toContain('missed_beats');
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
  });

  it('begins with a crash where the crash is, and says how it ended', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'exited', code: 3, signal: undefined });
    story.pass(5_000, 'healthy');
    const { named, names, spans } = traced(story);
    expect(names).toEqual(['failure', 'decision', 'start', 'ready', 'incident']);
    lieWithin(spans, named('incident')[0] as EndedSpan);
    expect(named('incident')[0]?.attributes['tillwatch.cause']).toBe('crash');
    expect(named('incident')[0]?.moments).toEqual([
      expect.objectContaining({
        name: 'rung',
        attributes: expect.objectContaining({ 'tillwatch.rung': 'restart' }),
      }),
    ]);
  });

  it('is none where a suspicion passes', () => {
    const story = tell();
    story.run();
    story.pass(1_250, 'blocked');
    expect(story.state()).toBe('suspect');
    story.pass(5_000, 'healthy');
    const { spans, track } = traced(story);
    expect(spans).toEqual([]);
    expect(track).toEqual(NO_TRACK);
  });

  it('tells what was only decided, in observe and while the till is held', () => {
    for (const mode of ['observe', 'act'] as const) {
      const story = tell({ mode });
      story.run();
      if (mode === 'act') story.send({ kind: 'hold', active: true });
      story.pass(10_000, 'blocked');
      const { named, names, spans, track } = traced(story);
      const [root] = named('incident');
      if (root === undefined) throw new Error('no root');
      expect(names.slice(0, 6)).toEqual([
        'failure',
        'suspicion',
        'evidence',
        'evidence',
        'decision',
        'incident',
      ]);
      lieWithin(spans, root);
      const by = mode === 'observe' ? 'observe' : 'hold';
      expect(root.attributes['tillwatch.suppressed_by']).toBe(by);
      expect(named('decision')[0]?.attributes).toMatchObject({
        'tillwatch.rung': 'restart',
        'tillwatch.suppressed_by': by,
      });
      expect(named('kill')).toEqual([]);
      expect(track.open).toBeUndefined();
    }
  });

  it('tells of quarantine at once, of each retry, and at last how long it was', () => {
    const story = tell({ restartsMax: 1, quarantineRetryMs: 20_000 });
    story.run();
    for (let crash = 0; crash < 3; crash += 1) {
      story.send({ kind: 'exited', code: 3, signal: undefined });
      story.pass(2_000, 'healthy', () => story.state() === 'quarantined');
    }
    expect(story.state()).toBe('quarantined');
    const before = traced(story);
    expect(before.named('incident').at(-1)?.status).toMatchObject({ code: 'error' });
    story.pass(60_000, 'healthy', () => story.state() === 'ready');
    const after = traced(story);
    expect(after.named('incident').length).toBe(before.named('incident').length);
    const [quarantine] = after.named('quarantine');
    expect(quarantine?.status).toEqual({ code: 'ok' });
    expect(quarantine?.parentSpanId).toBe(after.named('incident').at(-1)?.spanId);
    expect(after.track).toEqual(NO_TRACK);
  });

  it('is bounded however often it crashes, and counts what it leaves out', () => {
    const story = tell({ restartsMax: 1_000, backoffMsMin: 0, backoffMsMax: 0 });
    story.hands.becomesReady = false;
    story.run();
    for (let crash = 0; crash < 300; crash += 1) {
      story.send({ kind: 'exited', code: 3, signal: undefined });
      story.pass(250);
    }
    const { track, dropped, spans } = traced(story);
    expect(spans.length).toBeLessThanOrEqual(SPANS_PER_INCIDENT_MAX);
    expect(dropped).toBeGreaterThan(0);
    expect(track.open?.moments.length).toBe(MOMENTS_MAX);
  });

  it('goes on under the same trace after a reboot, and ends when it is ready', () => {
    const story = hang({}, 3_000);
    const until = story.steps.findIndex(({ effects }) =>
      effects.some((effect) => effect.kind === 'spawn' && effect.reason !== 'first start'),
    );
    const first = traced({ ...story, steps: story.steps.slice(0, until) });
    expect(first.named('incident')).toEqual([]);
    const rebooted = traceReboot(first.track, 'the ladder asks for it', 20_000);
    const { open } = rebooted;
    if (open === undefined) throw new Error('nothing is open');
    // Stopped for the reboot: that is not its end.
    const next = tell();
    next.run();
    const second = traced(next, { ...NO_TRACK, open: { ...open, inherited: true } });
    expect(second.named('incident')).toMatchObject([
      { traceId: traceOfIncident(open.incident), spanId: open.rootId, status: { code: 'ok' } },
    ]);
    expect(second.named('incident')[0]?.moments?.at(-1)?.name).toBe('reboot');
    expect(second.names).toContain('start');
    expect(second.track).toEqual(NO_TRACK);
  });

  it('ends with an error when the component is stopped in the middle of it', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.run(1_000);
    story.send({ kind: 'exited', code: 3, signal: undefined });
    story.pass(2_000, 'healthy');
    story.send({ kind: 'stop', reason: 'the agent ends' });
    story.pass(5_000);
    const { named } = traced(story);
    expect(named('incident').at(-1)?.status?.code).toBe('error');
  });
});

describe('the trace id of an incident', () => {
  it('is its uuid without hyphens, and of any other name a digest of it', () => {
    const uuid = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736';
    expect(traceOfIncident(uuid)).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
    expect(traceOfIncident('sale-1a2b')).toMatch(/^[0-9a-f]{32}$/);
    expect(traceOfIncident('sale-1a2b')).toBe(traceOfIncident('sale-1a2b'));
  });
});
