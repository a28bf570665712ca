// How much of a store's line logs may take, in the agent's configuration.

import { describe, expect, it } from 'vitest';
import { formatProblem, loadConfig } from '../../configuration/config.ts';
import { SMALL } from './config-small.ts';

function load(more: string) {
  const loaded = loadConfig(SMALL + more, '/etc/pos');
  return loaded.ok ? loaded.config.logs.uplinkShare : loaded.problems.map(formatProblem);
}

describe('the share of the line', () => {
  it('is a third where nothing is said, and all of it where that is wanted', () => {
    expect(load('')).toBe(0.3);
    expect(load('logs: { uplinkShare: 1 }\n')).toBe(1);
  });

  it.each(['0', '1.5', 'half'])('is never %s', (share) => {
    expect(load(`logs: { uplinkShare: ${share} }\n`)).toEqual([
      expect.stringMatching(/logs\.uplinkShare.*must be a share of the line, from 0\.01 to 1/),
    ]);
  });
});
