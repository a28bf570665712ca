import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../protocol/events.ts';
import { START_MS } from './fleet-rig.ts';
import { events, tell } from './fleet-story.ts';

type Fields = Partial<Extract<NewEvent, { kind: 'away' }>['fields']>;
const away = (fromS: number, untilS: number, more: Fields = {}): NewEvent => ({
  kind: 'away',
  component: '',
  fields: {
    ...{ fromMs: START_MS + fromS * 1_000, untilMs: START_MS + untilS * 1_000 },
    ...{ why: 'link_down', reason: 'no carrier', ...more },
  },
});

describe('the last absence of a terminal', () => {
  it('is what its agent told, with its parts', () => {
    const parts = { link_down: 50_000, refused: 10_000 };
    const story = tell([100, events(1, [100, away(10, 70, { parts })])]);
    expect(story.at(101).away).toEqual({
      ...{ fromMs: START_MS + 10_000, untilMs: START_MS + 70_000, why: 'link_down' },
      ...{ parts, reason: 'no carrier' },
    });
  });

  it('is the newest, in whatever order they come', () => {
    const story = tell(
      [200, events(2, [200, away(150, 190)])],
      [201, events(1, [100, away(10, 70)])],
    );
    expect(story.at(202).away?.untilMs).toBe(START_MS + 190_000);
  });

  it('is none that ends before it begins, and none from the future that would stay for ever', () => {
    expect(tell([100, events(1, [100, away(70, 10)])]).at(101).away).toBeUndefined();
    const story = tell(
      [100, events(1, [100, away(10, 31_536_000)])],
      [300, events(2, [300, away(250, 290)])],
    );
    expect(story.at(301).away?.untilMs).toBe(START_MS + 290_000);
  });

  it('has only parts that this broker knows, and that are lengths', () => {
    const parts = { solar_storm: 5, power: 20_000, refused: 0 } as Record<string, number>;
    const story = tell([100, events(1, [100, away(10, 70, { parts })])]);
    expect(story.at(101).away?.parts).toEqual({ power: 20_000 });
  });
});
