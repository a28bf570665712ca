// How the verbs look: every line fits, nothing that a terminal reports can break or drive a screen.

import { describe, expect, it } from 'vitest';
import type { FleetView, TerminalView } from '../../cli/client.ts';
import { age, ago, clip, clipMiddle, plainStyle, styleFor, table, wrap } from '../../cli/screen.ts';
import {
  needLines,
  stateCounts,
  terminalLines,
  versionLines,
  versionSummary,
} from '../../cli/verbs/fleet.ts';
import { restartText, terminalDetailLines } from '../../cli/verbs/terminal.ts';

const NOW = 1_800_000_000_000;
const ESCAPE = '\u001b';

const component = (name: string, state: 'ready' | 'backoff' = 'ready', reason?: string) => ({
  name,
  version: '2.4.1',
  state,
  restarts: state === 'ready' ? { hang: 1 } : { crash: 12, hang: 1 },
  restartsTotal: state === 'ready' ? 1 : 13,
  pid: 123_456,
  sinceMs: NOW - 12_000,
  ...(reason === undefined ? {} : { lastReason: reason }),
});
const terminal = (
  id: string,
  presence: TerminalView['presence'],
  ...states: ('ready' | 'backoff')[]
) =>
  ({
    id,
    store: 'berlin-mitte',
    presence,
    connected: presence === 'online',
    lastSeenMs: NOW - 2_000,
    agent: { version: '0.1.0', node: 'v24.21.0', starts: 2 },
    components: states.map((state, at) =>
      component(['sale', 'sync', 'hardware'][at] ?? 'x', state),
    ),
    openIncidents: [],
    clockOffsetMs: -3.4,
    samples: 120,
    events: 7,
  }) satisfies TerminalView;

describe('a table', () => {
  it('aligns its columns and leaves no blank at the end of a line', () => {
    const lines = table(
      [{ title: 'NAME' }, { title: 'COUNT', align: 'right' }, { title: 'NOTE' }],
      [
        ['sale', '12', 'fine'],
        ['hardware', '3', ''],
      ],
    );
    expect(lines).toEqual(['NAME      COUNT  NOTE', 'sale         12  fine', 'hardware      3']);
  });

  it('fits 80 columns by shortening the one column that may give way', () => {
    const lines = table(
      [{ title: 'A' }, { title: 'B', shrinks: true }, { title: 'C' }],
      [['x'.repeat(30), 'y'.repeat(100), 'z'.repeat(20)]],
    );
    expect(lines.map((line) => line.length)).toEqual([61, 80]);
    expect(lines[1]).toContain('…  zzz');
  });

  const wide = [
    { title: 'TERMINAL' },
    { title: 'STORE' },
    { title: 'STATE', paint: (cell: string) => `<${cell}>` },
    { title: 'COMPONENTS', shrinks: true },
    { title: 'RESTARTS', align: 'right' },
  ] as const;
  const long = [
    [`${'t'.repeat(31)}1`, `s${'x'.repeat(30)}2`, 'quarantined', 'c'.repeat(60), '123456789'],
    ['lane-1', 'store', 'ready', '3 ready', '1'],
  ];

  it('keeps the name of its rows as long as it can, and the two ends of every id', () => {
    const lines = table(wide, long, 80);
    expect(lines.map((line) => line.replace(/[<>]/g, '').length)).toEqual([80, 80, 80]);
    expect(lines[1]).toMatch(/^t{31}1 {2}sx{4}…x{3}2 {2}<quarantined> {2}c{9}… {2}123456789$/);
  });

  it('cuts the name of its rows last, and no number or state ever', () => {
    const lines = table(wide, long, 60);
    expect(lines[1]).toMatch(/^t{8}…t{6}1 {2}sxx…x2 {2}<quarantined> {2}c{9}… {2}123456789$/);
    const none = table(wide, long, 10);
    expect(none[1]).toMatch(/^t{4}…tt1 {2}sxx…x2 {2}<quarantined> {2}c{9}… {2}123456789$/);
  });

  it('uses the room of a wider terminal', () => {
    expect(table(wide, long, 200)[1]).toContain('c'.repeat(60));
    expect(styleFor({ isTTY: true, columns: 132 }, {}).columns).toBe(132);
    expect(styleFor({ isTTY: true, columns: 0 }, {}).columns).toBe(80);
    expect(styleFor({}, {}).columns).toBe(80);
    expect(styleFor({}, { COLUMNS: '100' }).columns).toBe(100);
    expect(styleFor({}, { COLUMNS: 'many' }).columns).toBe(80);
    expect(styleFor({ isTTY: true, columns: 7 }, {}).columns).toBe(40);
  });

  it('turns control characters into blanks, so that a reason cannot drive the terminal', () => {
    const lines = table([{ title: 'REASON' }], [[`a\n${ESCAPE}[2Jb`]]);
    expect(lines[1]).toBe('a [2Jb');
  });

  it('colours the text of a cell and not its padding', () => {
    const lines = table(
      [{ title: 'STATE', paint: (cell) => `<${cell}>` }, { title: 'N' }],
      [['up', '1']],
    );
    expect(lines[1]).toBe('<up>     1');
  });
});

describe('colour', () => {
  it('is used on a terminal only, and never with NO_COLOR', () => {
    expect(styleFor({ isTTY: true }, {}).good('x')).toBe(`${ESCAPE}[32mx${ESCAPE}[0m`);
    expect(styleFor({ isTTY: true }, { NO_COLOR: '1' }).good('x')).toBe('x');
    expect(styleFor({}, {}).good('x')).toBe('x');
    expect(styleFor({ isTTY: true }, { TERM: 'dumb' }).good('x')).toBe('x');
  });

  it('is forced with FORCE_COLOR, and forbidden with FORCE_COLOR=0', () => {
    const green = `${ESCAPE}[32mx${ESCAPE}[0m`;
    expect(styleFor({}, { FORCE_COLOR: '1' }).good('x')).toBe(green);
    expect(styleFor({}, { FORCE_COLOR: '', NO_COLOR: '1' }).good('x')).toBe(green);
    expect(styleFor({ isTTY: true }, { FORCE_COLOR: '0' }).good('x')).toBe('x');
  });
});

describe('texts', () => {
  it('show an age with two digits where they matter', () => {
    expect([0, 2_340, 12_000, 240_000, 10_800_000, 432_000_000].map(age)).toEqual([
      '0.0 s',
      '2.3 s',
      '12 s',
      '4 min',
      '3 h',
      '5 d',
    ]);
  });

  it('say when something was as a person would', () => {
    const times = [-5_000, 400, 3_200, 42_000, 240_000, 432_000_000].map(ago);
    expect(times).toEqual(['now', 'now', '3 s ago', '42 s ago', '4 min ago', '5 d ago']);
  });

  it('are clipped with an ellipsis and wrapped at blanks', () => {
    expect(clip('abcdef', 4)).toBe('abc…');
    expect(['abcdef', 'abcd'].map((text) => clipMiddle(text, 4))).toEqual(['ab…f', 'abcd']);
    expect([0, 1, 2].map((width) => clipMiddle('abcdef', width))).toEqual(['', '…', 'a…']);
    expect(wrap('one two three four', 9)).toEqual(['one two', 'three', 'four']);
  });
});

describe('the fleet', () => {
  const fleet: FleetView = {
    terminals: { total: 3, never: 0, online: 2, late: 0, lost: 1 },
    versions: [
      { component: 'sale', version: '2.5.0', terminals: 1 },
      { component: 'sale', version: '2.4.1', terminals: 2 },
    ],
    states: [],
    restarts: [],
  };

  it('lists versions in order', () => {
    expect(versionLines(fleet)).toEqual([
      'COMPONENT  VERSION  TERMINALS',
      'sale       2.4.1            2',
      'sale       2.5.0            1',
    ]);
  });

  it('puts terminals that need somebody first and says how many it does not show', () => {
    const lines = terminalLines(
      [
        terminal('aa-lane-1', 'online', 'ready'),
        terminal('bb-lane-1', 'online', 'ready', 'backoff'),
        terminal('cc-lane-1', 'lost', 'ready'),
      ],
      NOW,
      plainStyle,
      2,
    );
    expect(lines[1]).toMatch(/^cc-lane-1 /);
    expect(lines[2]).toMatch(/^bb-lane-1 .*1 backoff, 1 ready +14$/);
    expect(lines.at(-1)).toBe('... and 1 terminal more: --all');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('of many terminals names only the worst: ill ones, then those most often restarted', () => {
    const many = Array.from({ length: 40 }, (_, at) => terminal(`sim-${at}`, 'online', 'ready'));
    const restless = { ...component('sale'), restartsTotal: 7 };
    const all = [
      ...many,
      { ...terminal('zz-restless', 'online', 'ready'), components: [restless] },
      terminal('zz-ill', 'online', 'backoff'),
      terminal('zz-late', 'late', 'ready'),
    ];
    const lines = terminalLines(all, NOW, plainStyle);
    const names = lines.slice(1).map((line) => line.split(' ')[0]);
    expect(names.slice(0, 4)).toEqual(['zz-late', 'zz-ill', 'zz-restless', 'sim-0']);
    expect(lines.at(-1)).toBe('... and 33 terminals more: --all');
    expect(terminalLines(all, NOW, plainStyle, all.length)).toHaveLength(44);
    expect(needLines(all)).toEqual(['1 store, 2 terminals not well, 0 open incidents']);
  });

  it('sums versions up, the commonest first, within 80 columns', () => {
    const versions = Array.from({ length: 20 }, (_, at) => ({
      component: 'hardware',
      version: `3.0.${at}`,
      terminals: at,
    }));
    const lines = versionSummary({ ...fleet, versions: [...fleet.versions, ...versions] });
    expect(lines[0]).toMatch(/^hardware {2}3\.0\.19 on 19, 3\.0\.18 on 18, /);
    expect(lines[1]).toMatch(/^ {10}3\.0\./);
    expect(lines.at(-1)).toBe('sale      2.4.1 on 2, 2.5.0 on 1');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('counts states with ready last', () => {
    expect(stateCounts([component('a'), component('b', 'backoff'), component('c')])).toBe(
      '1 backoff, 2 ready',
    );
  });
});

describe('one terminal', () => {
  it('fits 80 columns also with a long reason, and tells restarts by cause', () => {
    const one = terminal('bm-lane-1', 'online', 'ready', 'backoff');
    const components = one.components.map((each) => ({ ...each, lastReason: 'why '.repeat(60) }));
    const lines = terminalDetailLines({ ...one, components }, NOW, plainStyle);
    expect(lines[0]).toBe('bm-lane-1 in berlin-mitte: online, last seen 2 s ago');
    expect(lines[1]).toContain('Node 24.21.0, started 2 times, clock -3 ms');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(restartText(component('a', 'backoff'))).toBe('13 (crash 12, hang 1)');
  });

  it('leaves out the causes of restarts sooner than the reason', () => {
    const one = terminal('bm-lane-1', 'online', 'backoff');
    const restarts = { dependency: 2, start_timeout: 8, self_reported: 1 };
    const components = one.components.map((each) => ({
      ...{ ...each, restarts, restartsTotal: 11, mode: 'observe' as const, pid: 123_456 },
      lastReason: 'why '.repeat(60),
    }));
    const lines = terminalDetailLines({ ...one, components }, NOW, plainStyle);
    expect(lines.at(-1)).toMatch(/ 11 +why why/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('that never reported says so', () => {
    const { agent: _, lastSeenMs: __, ...rest } = terminal('bm-lane-1', 'never');
    expect(terminalDetailLines(rest, NOW, plainStyle).slice(0, 2)).toEqual([
      'bm-lane-1 in berlin-mitte: never reported',
      'no agent has reported yet',
    ]);
  });
});
