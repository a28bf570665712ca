// What people read of maintenances and of versions that are behind.

import { describe, expect, it } from 'vitest';
import type { TerminalView } from '../../cli/client.ts';
import { plainStyle } from '../../cli/screen.ts';
import { behindLines, maintenanceLines, upkeepLines } from '../../cli/upkeep-words.ts';
import { terminalLines } from '../../cli/verbs/fleet.ts';

const untilMs = new Date(2026, 10, 23, 16, 5).getTime();
const maintenance = {
  id: 'm-1',
  by: 'ada',
  reason: 'floor works',
  untilMs,
  scope: 'store' as const,
};
const till = (id: string, more: Partial<TerminalView> = {}): TerminalView => ({
  ...{ id, store: 's-1', presence: 'online', connected: true },
  ...{ components: [], openIncidents: [], ...more },
});
const late = (running: string) => [{ component: 'sale', running, target: '2.4.1' }];

describe('a fleet', () => {
  it('says who maintains what until when, once for a store', () => {
    const own = { ...maintenance, id: 'm-2', scope: 'terminal' as const, reason: 'scanner' };
    const all = [
      ...[till('a', { maintenance }), till('b', { maintenance }), till('c')],
      till('d', { maintenance: own }),
    ];
    expect(maintenanceLines(all)).toEqual([
      'maintenance of store s-1 (2 terminals) until 16:05 by ada: floor works',
      'maintenance of terminal d until 16:05 by ada: scanner',
    ]);
    expect(terminalLines(all, untilMs, plainStyle).join('\n')).toMatch(
      /a +s-1 +online, maintenance/,
    );
  });

  it('says what runs against its target, and apart how many are silent', () => {
    const all = [
      ...[till('a', { behind: late('2.4.0') }), till('b', { behind: late('2.3.9') }), till('c')],
      till('d', { behind: late('2.4.0'), presence: 'lost' }),
    ];
    expect(behindLines(all)).toEqual([
      'behind: sale, 2 terminals not on 2.4.1 (1 on 2.4.0, 1 on 2.3.9); 1 more silent',
    ]);
  });

  it('has nothing to say where nothing is so, or of a broker that knows nothing of it', () => {
    expect([maintenanceLines([till('a')]), behindLines([till('a')])]).toEqual([[], []]);
  });
});

it('a terminal says both', () => {
  expect(upkeepLines(till('a', { maintenance, behind: late('2.4.0') }))).toEqual([
    'maintenance of its store until 16:05 by ada: floor works',
    'behind: sale runs 2.4.0, target 2.4.1',
  ]);
});
