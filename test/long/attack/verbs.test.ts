// Every verb of the command line that acts, with a role that is too low for it, as somebody who signed in: it ends with
// 77, and the broker counted it and wrote down who it was. A verb that is added tomorrow fails here until it is tried.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProgram, run } from '../../../cli/tillwatch.ts';
import type { Role } from '../../../protocol/catalogue.ts';
import { type FleetRig, openFleetRig } from '../../real/trust-rig.ts';
import type { Entry } from './rig.ts';

let rig: FleetRig;
const sessions: Partial<Record<Role, string>> = {};
const NAMES: Partial<Record<Role, string>> = { viewer: 'vera', oncall: 'olga' };
beforeAll(async () => {
  rig = await openFleetRig({ settings: 'limits:\n  httpRequestsPerSecond: 10000\n' });
  await rig.enroll('lane-1');
  sessions.viewer = await rig.operator('vera', 'viewer');
  sessions.oncall = await rig.operator('olga', 'oncall');
  writeFileSync(join(rig.dir, 'settings.yaml'), 'sampling: { everyMs: 5000 }\n');
  writeFileSync(join(rig.dir, 'base.yaml'), 'mode: observe\n');
  const store = '{ id: s-1, region: north, timeZone: UTC }';
  writeFileSync(join(rig.dir, 'stores.yaml'), `stores: [${store}]\n`);
});
afterAll(() => rig?.close());

const UUID = '2f1d7c4e-8f0a-4a5e-9d3b-0c1b2a394857';
const WHY = '--reason testing';
const VIEWER = [
  `restart lane-1 sale ${WHY}`,
  `stop lane-1 sale ${WHY}`,
  `start lane-1 sale ${WHY}`,
  `restart-all lane-1 ${WHY}`,
  `reboot lane-1 ${WHY}`,
  `probe lane-1 ${WHY}`,
  `diagnose lane-1 ${WHY}`,
  `unquarantine lane-1 sale ${WHY}`,
  `reset-budget lane-1 ${WHY}`,
  `reopen lane-1 hardware printer ${WHY}`,
  `hold lane-1 --for 5m ${WHY}`,
  `release lane-1 ${WHY}`,
  `log-level lane-1 sale debug --for 5m ${WHY}`,
  `purge-logs lane-1 --before 5m ${WHY}`,
  `logs lane-1 --since 5m ${WHY}`,
  `logs lane-1 --follow ${WHY}`,
  `logs --store s-1 --since 5m ${WHY}`,
  'requests',
  `requests ${UUID}`,
  `requests ${UUID} --cancel ${WHY}`,
  `cancel ${UUID} ${WHY}`,
  `bulk plan restart sale --all ${WHY}`,
  `bulk start ${UUID} --count 1 ${WHY}`,
  `bulk pause ${UUID} ${WHY}`,
  `bulk resume ${UUID} ${WHY}`,
  `bulk abort ${UUID} ${WHY}`,
  `maintenance start --store s-1 --for 2h ${WHY}`,
  `maintenance end --store s-1 ${WHY}`,
  `config apply base FOLDER/base.yaml --all --count 1 ${WHY}`,
  `config rollback base ${WHY}`,
  `config remove base --yes ${WHY}`,
  'config show base --version 1',
  'audit',
  'audit head',
  'audit verify',
  `terminal suspend lane-1 ${WHY}`,
  `terminal resume lane-1 ${WHY}`,
];
const ONCALL = [
  `target set sale 2.4.1 --all --yes ${WHY}`,
  `target clear sale --all --yes ${WHY}`,
  `maintenance window add weekly --all --at sun --for 1h --do reboot ${WHY}`,
  `maintenance window remove weekly ${WHY}`,
  `config apply base FOLDER/base.yaml --all --count 1 ${WHY}`,
  `config rollback base ${WHY}`,
  `config remove base --yes ${WHY}`,
  `stop lane-1 sale ${WHY}`,
  `reboot lane-1 ${WHY}`,
  'configure lane-1 --file FOLDER/settings.yaml --reason testing',
  `purge-logs lane-1 --before 5m ${WHY}`,
  'audit verify',
  'audit export --out FOLDER/x.jsonl',
  'operators',
  'operators list',
  'operators add eve --role admin',
  'operators token vera',
  'operators disable vera',
  'operators enable vera',
  'operators role olga admin',
  'enroll --store s-1 --terminal lane-9',
  `terminal revoke lane-1 ${WHY}`,
  `terminal retire lane-1 ${WHY}`,
  `terminal replace lane-1 ${WHY}`,
  `terminal move lane-1 s-2 ${WHY}`,
  `terminal accept-machine lane-1 ${WHY}`,
  `stores apply FOLDER/stores.yaml --yes ${WHY}`,
];
const TRIED = [
  ...VIEWER.map((line) => ['viewer', line] as const),
  ...ONCALL.map((line) => ['oncall', line] as const),
];
/** On this machine only (a drill is asked for on the till), or what every viewer may read. */
const HARMLESS = [
  ...[
    'demo',
    'broker',
    'agent',
    'check-config',
    'completion',
    'status',
    'doctor',
    'drill',
    'help',
    'redact',
    'join',
  ],
  ...[
    'login',
    'logout',
    'contexts',
    'fleet',
    'terminal',
    'events',
    'report',
    'commands',
    'errors',
    'sinks',
    'bulk list',
    'target',
    'target behind',
    'maintenance',
    'maintenance list',
    'maintenance window',
    'maintenance window list',
    'config history',
    'config check',
    'config schema',
    'stores show',
    'stores export',
  ],
  ...['bulk status'],
];

/** What the broker refused to somebody with too low a role, over all routes. */
async function refusals(): Promise<number> {
  const { body } = await rig.ask('/metrics', { session: await rig.session() });
  const lines = String(body['text']).matchAll(
    /^tillwatch_http_requests_total\{[^}]*status="403"\} (\d+)/gm,
  );
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

it.each(TRIED)('%s: tillwatch %s', async (role, line) => {
  const home = join(rig.dir, `home-${role}`);
  mkdirSync(join(home, 'tillwatch'), { recursive: true, mode: 0o700 });
  const context = {
    ...{ url: rig.url, authority: rig.authorities.join('\n') },
    ...{ operator: NAMES[role] ?? '', session: sessions[role] },
  };
  const file = { current: 'fleet', contexts: { fleet: context } };
  writeFileSync(join(home, 'tillwatch', 'contexts.json'), JSON.stringify(file), { mode: 0o600 });
  const counted = await refusals();
  const before = { ...process.env };
  Object.assign(process.env, { XDG_CONFIG_HOME: home });
  try {
    expect(await run(line.replace('FOLDER', rig.dir).split(' '))).toBe(77);
  } finally {
    process.env = before;
  }
  expect(await refusals()).toBeGreaterThan(counted);
  const { body } = await rig.api(`audit?operator=${NAMES[role]}&outcome=refused&limit=1`);
  const [entry] = body['entries'] as readonly Entry[];
  expect(entry).toMatchObject({ outcome: 'refused 403', operator: NAMES[role] });
});

it('every verb that there is has been tried, or is harmless', () => {
  const words: string[] = [];
  const walk = (command: Command, path: string): void => {
    for (const sub of command.commands) {
      const name = `${path}${sub.name()}`;
      // A verb with verbs below it that does nothing by itself is not one.
      words.push(name);
      walk(sub, `${name} `);
    }
  };
  const program = createProgram(async () => undefined);
  walk(program, '');
  const isTried = (word: string): boolean =>
    TRIED.some(([, line]) => `${line} `.startsWith(`${word} `));
  const isHarmless = (word: string): boolean =>
    HARMLESS.includes(word) ||
    ['broker', 'demo', 'contexts', 'report'].includes(word.split(' ')[0] ?? '');
  expect(words.filter((word) => !isTried(word) && !isHarmless(word))).toEqual([]);
});
