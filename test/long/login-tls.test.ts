// The way of a newcomer on a real address: broker init, the broker, signing in; and what happens to somebody who is signed in
// while the authority is replaced. The verbs run in this process, the broker as it is.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../broker/broker.ts';
import { type Initialised, initBroker } from '../../broker/trust/init.ts';
import { createClient } from '../../cli/client.ts';
import { readContexts } from '../../cli/contexts.ts';
import { findOperator } from '../../cli/operator.ts';
import type { Person } from '../../cli/prompt.ts';
import { runLogin } from '../../cli/verbs/login.ts';
import { must, quiet } from '../unit/fleet-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-login-tls-'));
const env = { XDG_CONFIG_HOME: join(folder, 'config') };
let made: Initialised;
let broker: Broker;

beforeAll(async () => {
  const at = (name: string) => join(folder, name);
  made = must(
    await initBroker({
      ...{ configFile: at('broker.yaml'), names: ['localhost', '127.0.0.1'] },
      ...{ dataDir: at('data'), keysDir: at('keys'), mqttPort: 0, httpPort: 0, host: '127.0.0.1' },
    }),
  );
  broker = must(await startBroker(made.config, { log: quiet }));
});
afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Somebody at a terminal who answers as said, and what they were shown. */
function somebody(token: string, yes: boolean) {
  const told: string[] = [];
  const person: Person = {
    isThere: true,
    secret: () => Promise.resolve({ ok: true, value: token }),
    confirm: () => Promise.resolve(yes),
    tell: (line) => void told.push(line),
  };
  const print = (line: string) => told.push(line);
  return { told, context: { print, env, person, json: false } };
}
const client = () => createClient(must(findOperator(env, '/')));

it('nothing is sent when the person says that it is another authority', async () => {
  const { told, context } = somebody(made.token, false);
  const outcome = await runLogin(context, { url: broker.url });
  expect(outcome).toMatchObject({
    exit: 77,
    sentence: expect.stringContaining('nothing was sent'),
  });
  expect(told.join('').replaceAll(' ', '')).toContain(made.fingerprint);
  expect(must(readContexts(env)).contexts).toEqual({});
});

it('signs in, keeps the authorities that the broker tells, and asks through TLS', async () => {
  const { told, context } = somebody(made.token, true);
  expect(await runLogin(context, { url: broker.url, as: 'admin' })).toEqual({ exit: 0 });
  expect(told.at(-1)).toContain('as admin (admin)');
  expect(await client().get('/api/v1/session')).toMatchObject({ value: { name: 'admin' } });
  const [kept] = Object.values(must(readContexts(env)).contexts);
  expect(kept?.authority?.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
  // A second time nobody is asked: it is the same one.
  const again = somebody(made.token, false);
  expect(await runLogin(again.context, { url: broker.url })).toEqual({ exit: 0 });
});

it('there is no token of the whole broker, and /metrics is for those who are somebody', async () => {
  const answer = async (token?: string) => {
    const operator = must(findOperator(env, '/'));
    const reply = await createClient({ ...operator, token }).bytes('/metrics');
    return reply.ok ? 200 : reply.status;
  };
  expect([await answer(), await answer('x'), await answer(made.token)]).toEqual([401, 401, 200]);
  expect((await createClient(must(findOperator(env, '/'))).bytes('/healthz')).ok).toBe(true);
});
