// Every route of the broker with every role that is too low for it, and with none. The routes come from the server, so
// that a new one of tomorrow is tried as well. The verbs are in verbs.test.ts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
});
