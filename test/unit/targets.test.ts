// Which version a terminal should run and who runs another: ranks, conflicts, silence, and two operators at once.

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../broker/fleet/database.ts';
import { newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import { openTargets, type Targets } from '../../broker/targets/desk.ts';
import { createResolve, type Rank, type Target } from '../../broker/targets/model.ts';
import { folder } from './fleet-rig.ts';

const NOW = Date.UTC(2026, 10, 23);
const ADA = { name: 'ada', role: 'admin' } as const;
const SAID = { actor: ADA, reason: 'rollout 12' };

const target = (rank: Rank, value: string, version: string, setMs = 0): Target => ({
  ...{ component: 'sale', version, role: 'control', rank, value, by: 'ada', reason: 'r', setMs },
});
const place = { terminal: 'lane-1', store: 's-1', region: 'north', labels: ['pilot', 'old'] };

type Seen = Partial<Pick<TerminalModel, 'presence'>> & { sale?: string; agent?: string };
function terminal(id: string, store: string, { sale, agent = '1.0', presence = 'online' }: Seen) {
  const model = newTerminal(id, store, true);
  const { agent: before } = model;
  const component = { listed: true, version: sale } as TerminalModel['components'][string];
  const components: TerminalModel['components'] = sale === undefined ? {} : { sale: component };
  return { ...model, presence, agent: { ...before, version: agent }, components };
}

const LABELS: Record<string, readonly string[]> = {
  'lane-1': ['pilot'],
  'lane-2': ['pilot', 'old'],
};

function open(models: readonly TerminalModel[]) {
  const written: { action: string; detail?: unknown }[] = [];
  const opened = openDatabase(join(folder(), 'r.db'), (database) => database);
  if (!opened.ok) throw new Error(opened.reason);
  const listeners: (() => void)[] = [];
  const targets: Targets = openTargets({
    fleet: {
      ...{ database: opened.value, models: () => models },
      ...{ describeBy: () => undefined, observeBy: () => undefined },
    },
    stores: {
      regionOf: (store) => (store === 's-1' ? 'north' : undefined),
      labelsOf: (id) => LABELS[id] ?? [],
      onChange: (listener) => {
        listeners.push(listener);
        return () => undefined;
      },
    },
    audit: { write: (entry: { action: string }) => void written.push(entry) } as never,
    clock: { wallMs: () => NOW },
  });
  const set = (rank: Rank, values: readonly string[], version: string, component = 'sale') =>
    targets.set({ component, version, rank, values }, SAID);
  return { targets, set, written, relabel: () => listeners.forEach((one) => void one()) };
}

describe('the target of a terminal', () => {
  it.each([
    [['terminal', 'lane-1'], '5'],
    [['store', 's-1'], '4'],
    [['label', 'pilot'], '3'],
    [['region', 'north'], '2'],
    [['all', ''], '1'],
  ] as const)('is that of %j before all that are less specific', ([rank, value], version) => {
    const all = [
      ...[target('all', '', '1'), target('region', 'north', '2'), target('label', 'pilot', '3')],
      ...[target('store', 's-1', '4'), target('terminal', 'lane-1', '5')],
    ];
    const left = all.slice(0, all.findIndex((one) => one.rank === rank) + 1);
    const [found] = createResolve(left)(place);
    expect(found?.target).toMatchObject({ rank, value, version });
  });

  it('is none where only others are meant, and each component has its own', () => {
    const resolve = createResolve([
      target('store', 's-2', '4'),
      { ...target('all', '', '9'), component: 'agent' },
    ]);
    expect(resolve(place).map((one) => one.target.component)).toEqual(['agent']);
  });

  it('is the newer one where two labels came to mean it, and names the other', () => {
    const two = [target('label', 'pilot', '3', 10), target('label', 'old', '2', 20)];
    expect(createResolve(two)(place)).toMatchObject([
      { target: { version: '2' }, rivals: [{ version: '3' }] },
    ]);
  });
});

describe('setting a target', () => {
  const fleet = () => [
    terminal('lane-1', 's-1', { sale: '2.4.0' }),
    terminal('lane-2', 's-1', { sale: '2.4.1' }),
    terminal('lane-3', 's-2', { sale: '2.4.0', presence: 'lost' }),
    terminal('lane-4', 's-2', { agent: '', presence: 'never' }),
    terminal('lane-5', 's-2', {}),
  ];

  it('counts who runs it, who is behind, and apart who is silent; who lacks it is not meant', () => {
    const { targets, set } = open(fleet());
    expect(set('all', [], '2.4.1').ok).toBe(true);
    expect(targets.list()).toMatchObject([
      { version: '2.4.1', role: 'control', meant: 4, running: 1, behind: 1, silent: 2 },
    ]);
    expect(targets.behind({ silent: false })).toEqual([
      { terminal: 'lane-1', store: 's-1', component: 'sale', running: '2.4.0', target: '2.4.1' },
    ]);
    expect(targets.behind({ silent: true }).map((one) => one.terminal)).toEqual(['lane-3']);
    expect(targets.behindCounts()).toEqual({ sale: 1 });
    expect(targets.roles()).toEqual([{ component: 'sale', version: '2.4.1', role: 'control' }]);
  });

  it('knows the agent as a component', () => {
    const { targets, set } = open(fleet());
    set('all', [], '2.0', 'agent');
    expect(targets.behind({ silent: false }).map((one) => one.terminal)).toEqual([
      ...['lane-1', 'lane-2', 'lane-5'],
    ]);
  });

  it('refuses a second label that means the same terminal and says something else, naming both', () => {
    const { targets, set } = open(fleet());
    set('label', ['pilot'], '3.0');
    const refused = set('label', ['old'], '2.0');
    expect(refused).toMatchObject({ ok: false, kind: 'conflict' });
    expect(refused.ok ? '' : refused.reason).toMatch(/label old and label pilot both mean lane-2:/);
    // The same of both is no conflict.
    expect(set('label', ['old'], '3.0').ok).toBe(true);
    expect(targets.list()).toHaveLength(2);
  });

  it('replaces what was set of the same, and shows that first', () => {
    const { targets, set, written } = open(fleet());
    set('store', ['s-1'], '1');
    const shown = targets.plan({ component: 'sale', version: '2', rank: 'store', values: ['s-1'] });
    expect(shown).toMatchObject({
      ok: true,
      plan: { changes: [{ before: '1 (control)', after: '2 (control)' }], meant: 2, behind: 2 },
    });
    set('store', ['s-1'], '2');
    expect(targets.list()).toMatchObject([{ version: '2' }]);
    expect(written.map(({ action }) => action)).toEqual(['target.set', 'target.set']);
  });

  it('says how many of those that are meant have a more specific one', () => {
    const { targets, set } = open(fleet());
    set('terminal', ['lane-1'], '9');
    const wish = { component: 'sale', version: '2.4.1', rank: 'all', values: [] } as const;
    expect(targets.plan(wish)).toMatchObject({ plan: { meant: 4, overruled: 1, behind: 0 } });
  });

  it('is refused when somebody else changed targets since it was shown', () => {
    const { targets, set } = open(fleet());
    const digest = targets.digest();
    set('all', [], '1');
    const wish = { component: 'sale', version: '2', rank: 'all', values: [] } as const;
    expect(targets.set(wish, { ...SAID, digest })).toMatchObject({ ok: false, kind: 'conflict' });
    expect(targets.set(wish, { ...SAID, digest: targets.digest() }).ok).toBe(true);
  });

  it.each([
    [{ component: 'Sale!', version: '1', rank: 'all', values: [] }, /component/],
    [{ component: 'sale', version: 'a b', rank: 'all', values: [] }, /version/],
    [{ component: 'sale', version: '1', rank: 'shelf', values: ['x'] }, /for whom/],
    [{ component: 'sale', version: '1', rank: 'store', values: [] }, /say which/],
    [{ component: 'sale', version: '1', rank: 'store', values: ['a', 'b'] }, /one at a time/],
    [{ component: 'sale', version: '1', rank: 'terminal', values: ['lane-77'] }, /no terminal/],
  ] as const)('refuses %j with a sentence', (wish, sentence) => {
    const { targets } = open(fleet());
    const refused = targets.set(wish as never, SAID);
    expect(refused.ok ? '' : refused.reason).toMatch(sentence);
  });

  it('is cleared with a reason, and what is not set cannot be', () => {
    const { targets, set, written } = open(fleet());
    set('all', [], '1');
    const wish = { component: 'sale', rank: 'all', values: [] } as const;
    expect(targets.clear(wish, { ...SAID, reason: '' })).toMatchObject({ kind: 'invalid' });
    expect(targets.clear(wish, SAID).ok).toBe(true);
    expect([targets.list(), written.at(-1)?.action]).toEqual([[], 'target.clear']);
    expect(targets.clear(wish, SAID)).toMatchObject({ ok: false, kind: 'conflict' });
  });

  it('follows labels that change afterwards, and tells of the conflict that came of it', () => {
    const { targets, set, relabel } = open(fleet());
    set('label', ['pilot'], '3.0');
    LABELS['lane-2'] = ['pilot'];
    relabel();
    expect(set('label', ['old'], '2.0').ok).toBe(true);
    LABELS['lane-2'] = ['pilot', 'old'];
    relabel();
    expect(targets.list().reduce((sum, { conflicts }) => sum + conflicts, 0)).toBe(1);
  });

  it('answers for ten thousand terminals without asking each again', () => {
    const many = Array.from({ length: 10_000 }, (_, at) =>
      terminal(`t-${at}`, `s-${at % 500}`, { sale: at % 10 === 0 ? '1' : '2' }),
    );
    const { targets, set } = open(many);
    set('all', [], '2');
    expect(targets.behindCounts()).toEqual({ sale: 1_000 });
    const begun = performance.now();
    for (let at = 0; at < 10; at += 1) targets.behindCounts();
    // 10 sums over the fleet; a minute would be a scrape that nobody waits for.
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
