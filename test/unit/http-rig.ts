// The API on a registry of its own, asked without a socket.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { openBulks } from '../../broker/bulk/desk.ts';
import { openNotices } from '../../broker/bulk/notices.ts';
import { openCommands } from '../../broker/commands/commands.ts';
import { openConfigurations } from '../../broker/configurations/configurations.ts';
import { openErrors } from '../../broker/errors/errors.ts';
import { type Authenticate, eitherOf, type RouteRole } from '../../broker/http/auth.ts';
import { createNewest } from '../../broker/http/scrape-newest.ts';
import { buildServer, type HttpOptions } from '../../broker/http/server.ts';
import { openIdentities } from '../../broker/identity/identities.ts';
import { openLogs } from '../../broker/logs/logs.ts';
import { openOperators } from '../../broker/operators/operators.ts';
import { openStoresRoom } from '../../broker/stores/stores.ts';
import { ROLES, type Role } from '../../protocol/catalogue.ts';
import { happened, quiet, rig, START_MS } from './fleet-rig.ts';
import { fakeTrust, SETTINGS } from './identity-rig.ts';

export const TOKEN = 'a-token-that-nobody-guesses-0123456789';
export const LOGS_KEPT = 10;
export const authorization = `Bearer ${TOKEN}`;

/** Sessions of somebody with each role, named after it. */
const byRole: Authenticate = (token) => {
  const [, name = ''] = token.split('session-of-');
  return ROLES.filter((role) => role === name).map((role) => ({ name, role, session: token }))[0];
};
const as = (role: Role) => ({ authorization: `Bearer session-of-${role}` });

/** A scrypt that costs nothing. */
const CHEAP = { ln: 4, r: 1, p: 1 };

export const BULK = {
  ...{ firstWave: 1, fleetPercent: 100, failurePercent: 10, failuresMin: 3, hours: 24 },
};

/** @param record where spans of commands go, if anywhere. */
export async function open(
  options: Parameters<typeof rig>[0] = {},
  record?: Parameters<typeof openCommands>[0]['record'],
  history?: HttpOptions['history'],
  stateOf?: Parameters<typeof openCommands>[0]['stateOf'],
  metricsRole: RouteRole = 'anyone',
) {
  const back = rig(options);
  const { fleet, metrics, time } = back;
  const auditKey = generateKeyPairSync('ed25519').privateKey;
  const signing = { key: () => auditKey, log: quiet };
  const audit = openAudit(fleet.database, time.clock, metrics, signing);
  const { privateKey } = generateKeyPairSync('ed25519');
  const sent: { terminal: string; bytes: Uint8Array }[] = [];
  const commands = openCommands({
    fleet,
    key: privateKey,
    ...time,
    audit,
    metrics,
    log: quiet,
    send: (terminal, bytes) => sent.push({ terminal, bytes }),
    ...(record && { record }),
    ...(stateOf && { stateOf }),
  });
  const folder = mkdtempSync(join(tmpdir(), 'tw-http-logs-'));
  const shared = { fleet, commands, audit, ...time, metrics, log: quiet };
  const logs = openLogs({ folder, ...shared, keptMax: LOGS_KEPT });
  const { database } = fleet;
  const notices = openNotices(database, time.clock);
  const bulks = openBulks({
    ...{ ...shared, notices, settings: BULK },
    stateOf: stateOf ?? (() => 'enrolled'),
  });
  /** Regions and labels, as a file of stores would say them. */
  const regions = new Map<string, string>();
  const labels = new Map<string, readonly string[]>();
  const maintained = new Set<string>();
  const configurations = openConfigurations({
    ...{ ...shared, notices, bulks, failurePercent: BULK.failurePercent },
    isMaintained: (terminal) => maintained.has(terminal),
    stateOf: stateOf ?? (() => 'enrolled'),
    stores: {
      files: () => [],
      regionOf: (store) => regions.get(store),
      labelsOf: (id) => labels.get(id) ?? [],
    },
  });
  const operators = openOperators({ ...{ database, audit, metrics }, ...time, cost: CHEAP });
  const watched: string[] = [];
  const nowMs = () => time.clock.wallMs();
  const common = {
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    metricsRole,
    operators: { ...operators, authenticate: eitherOf(byRole, operators.authenticate) },
    timers: time.timers,
    nowMs,
    watch: (terminal: string) => watched.push(terminal),
    log: quiet,
  };
  metrics.watch({ fleet: fleet.rollup, configurations: configurations.figures });
  const { trust } = fakeTrust(nowMs);
  const identities = openIdentities({
    ...{ fleet, audit, trust, settings: SETTINGS, log: quiet, ...time },
    addresses: () => ({ brokers: ['mqtts://a:8883'], urls: ['https://a:8443'] }),
    count: metrics.enrolments,
  });
  const stores = openStoresRoom({ ...shared, identities });
  fleet.describeBy({
    region: (_id, { store }) => regions.get(store) ?? stores.regionOf(store),
    labels: (id) => labels.get(id) ?? stores.labelsOf(id),
  });
  const newest = createNewest(nowMs);
  const errors = openErrors({ fleet, clock: time.clock, ageMsMax: 90 * 86_400_000 });
  const app = buildServer({
    ...{ ...common, fleet, audit, identities, commands, bulks, notices, logs, errors, metrics },
    ...{ configurations, stores },
    ...(history && { history }),
    scrape: { observed: fleet.observed, newest },
  });
  const routes: { method: string; url: string; role: RouteRole | undefined }[] = [];
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const one of [method].flat()) routes.push({ method: one, url, role: config?.role });
  });
  await app.ready();
  onTestFinished(async () => {
    operators.close();
    identities.close();
    configurations.close();
    bulks.close();
    commands.close();
    await app.close();
    logs.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const get = (url: string, headers: Record<string, string> = { authorization }) =>
    app.inject({ method: 'GET', url, headers });
  const post = (url: string, payload: unknown, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url,
      headers: { authorization, 'content-type': 'application/json', ...headers },
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    });
  return {
    ...back,
    fleet,
    app,
    routes,
    operators,
    as,
    audit,
    auditKey,
    identities,
    bulks,
    configurations,
    regions,
    labels,
    maintained,
    notices,
    stores,
    commands,
    logs,
    folder,
    newest,
    sent,
    watched,
    privateKey,
    get,
    post,
  };
}

export const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'till hangs' };
export const COMMANDS = '/api/v1/terminals/lane-1/commands';
export const inventory = happened(START_MS, {
  kind: 'inventory',
  component: '',
  fields: {
    agent: '0.1.0',
    os: 'Linux',
    hostname: 'till',
    components: [
      { name: 'sale', version: '2.4.1' },
      { name: 'sync', version: '1.0' },
    ],
  },
});
