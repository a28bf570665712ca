// Who tries to act without being allowed to: every route and every verb with every role that is too low. The routes
// come from the server and the verbs from the program, so that a new one of tomorrow is tried as well.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram, run } from '../../../cli/tillwatch.ts';
import { ROLES, type Role } from '../../../protocol/catalogue.ts';
import { type FleetRig, openFleetRig } from '../../real/trust-rig.ts';
import { open } from '../../unit/http-rig.ts';
import type { Entry } from './rig.ts';

let rig: FleetRig;
const sessions: Partial<Record<Role, string>> = {};
beforeAll(async () => {
  // What is tried here is who may, not how often.
  rig = await openFleetRig({ settings: 'limits:\n  httpRequestsPerSecond: 10000\n' });
  await rig.enroll('lane-1');
  sessions.viewer = await rig.operator('vera', 'viewer');
  sessions.oncall = await rig.operator('olga', 'oncall');
});
afterAll(() => rig?.close());

const count = async (route: string, status: number): Promise<number> =>
  (await rig.metric(`tillwatch_http_requests_total{route="${route}",status="${status}"}`)) ?? 0;

describe('a role that is too low', () => {
  it('is refused on every route, counted there, and written down', async () => {
    const { routes } = await open();
    const tried: string[] = [];
    for (const { method, url, role } of routes) {
      if (role === undefined || role === 'anyone' || method === 'HEAD') continue;
      const path = url.replace(/:\w+/g, 'lane-1');
      const lower = [undefined, ...ROLES.slice(0, ROLES.indexOf(role))];
      for (const who of lower) {
        const status = who === undefined ? 401 : 403;
        const before = await count(url, status);
        const session = who === undefined ? undefined : sessions[who];
        const answer = await rig.ask(path, {
          method,
          session,
          body: method === 'GET' ? undefined : {},
        });
        expect(answer.status, `${method} ${path} as ${who}`).toBe(status);
        expect(await count(url, status), `${method} ${url}`).toBe(before + 1);
        tried.push(`${method} ${url} as ${who ?? 'nobody'}`);
      }
    }
    expect(tried.length).toBeGreaterThan(60);
    const { body } = await rig.api('audit?outcome=refused&limit=200');
    const entries = body['entries'] as readonly Entry[];
    // The first sixty of a minute are written, the others counted in the next one (broker/audit.ts).
    expect(entries.length).toBeGreaterThanOrEqual(60);
    expect(new Set(entries.map(({ operator }) => operator))).toEqual(
      new Set(['vera', 'olga', 'unknown']),
    );
  }, 120_000);

  /** Of each verb that asks a broker for something that a viewer may not: how it is called. */
  const VERBS: readonly (readonly [role: Role, line: string])[] = [
    ['viewer', 'restart lane-1 sale --reason testing'],
    ['viewer', 'stop lane-1 sale --reason testing'],
    ['oncall', 'stop lane-1 sale --reason testing'],
    ['viewer', 'start lane-1 sale --reason testing'],
    ['viewer', 'restart-all lane-1 --reason testing'],
    ['viewer', 'reboot lane-1 --reason testing'],
    ['oncall', 'reboot lane-1 --reason testing'],
    ['viewer', 'probe lane-1 --reason testing'],
    ['viewer', 'diagnose lane-1 --reason testing'],
    ['viewer', 'hold lane-1 --for 5m --reason testing'],
    ['viewer', 'release lane-1 --reason testing'],
    ['viewer', 'logs lane-1 --since 5m --reason testing'],
    ['viewer', 'commands'],
    ['viewer', 'audit'],
    ['viewer', 'audit head'],
    ['viewer', 'audit verify'],
    ['oncall', 'audit verify'],
    ['oncall', 'audit export --out x.jsonl'],
    ['oncall', 'operators'],
    ['oncall', 'operators add eve --role admin'],
    ['oncall', 'enroll --store s-1 --terminal lane-9'],
    ['viewer', 'terminal suspend lane-1 --reason testing'],
    ['oncall', 'terminal revoke lane-1 --reason testing'],
    ['oncall', 'terminal retire lane-1 --reason testing'],
    ['oncall', 'terminal replace lane-1 --reason testing'],
    ['oncall', 'terminal move lane-1 s-2 --reason testing'],
  ];
  const READS = ['commands'];

  it.each(VERBS)('%s: tillwatch %s', async (role, line) => {
    const home = join(rig.dir, `home-${role}`);
    mkdirSync(join(home, 'tillwatch'), { recursive: true, mode: 0o700 });
    const context = {
      ...{ url: rig.url, authority: rig.authorities.join('\n') },
      ...{ operator: role, session: sessions[role] },
    };
    const file = { current: 'fleet', contexts: { fleet: context } };
    writeFileSync(join(home, 'tillwatch', 'contexts.json'), JSON.stringify(file), { mode: 0o600 });
    const before = { ...process.env };
    Object.assign(process.env, { XDG_CONFIG_HOME: home });
    try {
      const argv = line.split(' ');
      // A verb of a room that is at work is no verb yet: then commander says so, and that is a failure.
      expect(await run(argv)).toBe(READS.includes(line) ? 0 : 77);
    } finally {
      process.env = before;
    }
  });

  it('has been tried with every verb that acts', () => {
    const words: string[] = [];
    const walk = (command: Command, path: string): void => {
      for (const sub of command.commands) {
        const name = `${path}${sub.name()}`;
        words.push(name);
        walk(sub, `${name} `);
      }
    };
    walk(
      createProgram(async () => undefined),
      '',
    );
    const tried = VERBS.map(([, line]) => line);
    const untried = words.filter(
      (word) => !tried.some((line) => `${line} `.startsWith(`${word} `)),
    );
    expect(
      untried.filter((word) => !LOCAL.some((local) => `${word} `.startsWith(`${local} `))),
    ).toEqual([]);
  });
  /** On this machine only, for viewers as well, or the same route as one that is tried above. */
  const LOCAL = [
    ...['demo', 'broker', 'agent', 'check-config', 'fleet', 'terminal accept-machine', 'events'],
    ...['would-have-acted', 'status', 'drill', 'completion', 'help', 'login', 'logout', 'contexts'],
    ...['terminal resume', 'till', 'report', 'cancel', 'notices', 'bulk', 'whoami'],
    ...[
      'operators',
      'unquarantine',
      'reset-budget',
      'reopen',
      'log-level',
      'configure',
      'purge-logs',
    ],
    ...['tokens', 'evidence'],
  ];
});
