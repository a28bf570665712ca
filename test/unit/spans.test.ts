import { describe, expect, it } from 'vitest';
import { Spans, withTrace } from '../../agent/telemetry/spans.ts';
import { traceOfIncident } from '../../agent/telemetry/spans-track.ts';
import type { BrokerTime } from '../../agent/telemetry/time.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { ok } from '../../protocol/result.ts';
import type { Attributes, Span } from '../../protocol/traces.ts';
import { type Story, tell } from './watchdog-story.ts';

const WALL_MS = 1_763_800_000_000;
const CARD = '4111 1111 1111 1111';

/** An agent's spans on a disk that outlives it; `skewMs`: how wrong the till's own clock is. */
function till(
  disk: { text?: string } = {},
  components: readonly string[] = ['sale'],
  bootMs = WALL_MS,
) {
  const clock = { now: 0, skewMs: 0, known: true };
  const wallMs = (): number => bootMs + clock.now + (clock.known ? 0 : clock.skewMs);
  const time: BrokerTime = {
    ...{ nowMs: wallMs, offsetMs: () => 0, known: () => clock.known, learn: () => true },
  };
  const spans: Span[] = [];
  const resources: Attributes[] = [];
  const warned: string[] = [];
  const log = {
    info: () => undefined,
    warn: (m: string) => warned.push(m),
    error: () => undefined,
  };
  const made = new Spans({
    ...{ path: 'traces.json', components, version: '0.1.0', time, log },
    clock: { monotonicMs: () => clock.now, wallMs },
    read: () => disk.text,
    write: (_path, text) => {
      disk.text = text;
      return Promise.resolve(ok(undefined));
    },
    add: (ended, resource) => {
      spans.push(...ended);
      resources.push(resource);
    },
  });
  /** Lets steps of a story be told to it, first to last. */
  function hear({ steps }: Pick<Story, 'steps'>, first = 0, last = steps.length): void {
    for (const { component, event, effects, before, model, now } of steps.slice(first, last)) {
      clock.now = now;
      made.step({ name: component, model }, event, effects, before, now);
    }
  }
  const named = (name: string): Span[] => spans.filter((span) => span.name === name);
  return { made, clock, spans, resources, warned, disk, hear, named };
}

function hang(reason?: string): Story {
  const story = tell();
  story.run();
  if (reason === undefined) story.pass(10_000, 'blocked', () => story.lives() > 1);
  else {
    story.send({ kind: 'trouble', reason });
    story.pass(10_000, 'healthy');
  }
  story.pass(5_000, 'healthy');
  return story;
}

/** The step after the one that opened the incident. */
const opening = ({ steps }: Story): number =>
  1 +
  steps.findIndex(({ effects }) =>
    effects.some((effect) => effect.kind === 'report' && effect.event.kind === 'incident_opened'),
  );

describe("the agent's spans", () => {
  it("have the broker's time and say who made them", () => {
    const { hear, named, spans, resources } = till();
    const story = hang();
    hear(story);
    const [root] = named('incident');
    const [recovered] = story.reports('incident_recovered');
    expect(root?.endMs).toBe(WALL_MS + Number(recovered?.['at']));
    expect(spans.every(({ startMs, endMs }) => startMs <= endMs)).toBe(true);
    expect(resources[0]).toEqual({ 'service.name': 'tillwatch-agent', 'service.version': '0.1.0' });
  });

  it('keep one clock for a whole incident when that is put right in the middle', () => {
    const { hear, named, clock, spans } = till();
    const story = hang();
    Object.assign(clock, { known: false, skewMs: 3_600_000 });
    hear(story, 0, opening(story));
    // The outbox puts right what it was given before that.
    spans.length = 0;
    clock.known = true;
    hear(story, opening(story));
    const [root] = named('incident');
    for (const { startMs, endMs } of spans) {
      expect(startMs).toBeGreaterThanOrEqual(Number(root?.startMs));
      expect(endMs).toBeLessThanOrEqual(Number(root?.endMs));
    }
    expect(root?.endMs).toBeLessThan(WALL_MS + 3_600_000);
  });

  it('are ended by the next agent under the same ids when this one was killed', async () => {
    const story = hang();
    const first = till();
    first.hear(story, 0, opening(story));
    await first.made.settled();
    expect(first.named('incident')).toEqual([]);
    const kept = JSON.parse(first.disk.text ?? '').open[0];
    expect(kept).toMatchObject({ component: 'sale' });

    const second = till(first.disk, ['sale'], WALL_MS + 60_000);
    const next = tell();
    next.run();
    second.hear(next);
    const [root] = second.named('incident');
    expect(root).toMatchObject({
      spanId: kept.rootId,
      traceId: traceOfIncident(kept.incident),
      startMs: kept.startMs,
      status: { code: 'ok' },
    });
    expect(second.named('start')[0]).toMatchObject({ parentSpanId: kept.rootId });
    await second.made.settled();
    expect(JSON.parse(second.disk.text ?? '')).toEqual({ open: [] });
  });

  it('go on after a reboot, for which everybody is stopped in the middle', async () => {
    const story = hang();
    const first = till();
    first.hear(story, 0, opening(story));
    const incident = String(story.reports('incident_opened')[0]?.['incident']);
    first.made.told({
      ...{ kind: 'reboot', component: 'sale' },
      fields: { incident, reason: 'the ladder asks for it', uptimeMs: 1 },
    });
    const stopped = tell();
    stopped.run();
    stopped.send({ kind: 'stop', reason: 'the agent ends' });
    const ends = stopped.steps.some(({ model }) => model.state === 'stopped');
    expect(ends).toBe(true);
    first.hear({ steps: stopped.steps.slice(-2) });
    expect(first.named('incident')).toEqual([]);
    await first.made.settled();
    const next = tell();
    next.run();
    // The machine's clock lost its battery: it begins in the past.
    const second = till(first.disk, ['sale'], WALL_MS - 86_400_000);
    second.hear(next);
    expect(second.named('incident')[0]?.events.map(({ name }) => name)).toContain('reboot');
  });

  it('do without a file that cannot be read, and without components that are gone', async () => {
    const broken = till({ text: '{"open": [{}]}' });
    expect(broken.warned.length).toBe(1);
    const story = hang();
    const first = till();
    first.hear(story, 0, opening(story));
    await first.made.settled();
    const other = till(first.disk, ['sync']);
    await other.made.settled();
    expect(JSON.parse(other.disk.text ?? '')).toEqual({ open: [] });
  });

  it('carry no card number, whatever a reason says', () => {
    const { hear, spans } = till();
    hear(hang(`cannot pay with ${CARD}`));
    expect(spans.length).toBeGreaterThan(0);
    expect(JSON.stringify(spans)).not.toMatch(/4111.?1111.?1111.?1111/);
  });
});

describe('an event of an incident', () => {
  it('names the trace; others are as they were', () => {
    const incident = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736';
    const recovered = {
      kind: 'incident_recovered',
      component: 'sale',
      fields: { incident, cause: 'hang', detectedMs: 1, readyMs: 2, attempts: 1 },
    } satisfies NewEvent;
    expect(withTrace(recovered).fields).toEqual({
      ...recovered.fields,
      trace: '4bf92f3577b34da6a3ce929d0e0e4736',
    });
    const stopping = {
      kind: 'agent_stopping',
      component: '',
      fields: { reason: 'x', left: [] },
    } satisfies NewEvent;
    expect(withTrace(stopping)).toBe(stopping);
  });
});
