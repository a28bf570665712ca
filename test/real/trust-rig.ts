// A fleet as `tillwatch broker init` makes it, on this machine: authority, broker as a child with TLS on two free loopback
// ports, its first operator, and terminals that enrol with real tokens. For every test that needs certificates.

import 'reflect-metadata';
import { type ChildProcess, spawn } from 'node:child_process';
import { KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { startEnrol } from '../../agent/system/enrol-child.ts';
import { systemTimers } from '../../broker/clock.ts';
import { type Initialised, initBroker } from '../../broker/trust/init.ts';
import { paths, readState } from '../../broker/trust/state.ts';
import type { Role } from '../../protocol/catalogue.ts';
import { ENROL_PATH, type Enrolled, parseToken, RENEW_PATH } from '../../protocol/enrolment.ts';
import { MAIN } from './broker-rig.ts';
import { until } from './front-rig.ts';
import {
  type Client,
  connectPacket,
  type DialOptions,
  dial,
  MACHINE,
  type RigIdentity,
} from './trust-client.ts';

export * from './trust-client.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const REASON = 'a test';
/** From source, beside others on two cores. */
const READY_MS_MAX = 45_000;

export type Answer = { readonly status: number; readonly body: Record<string, unknown> };
export type AskOptions = {
  readonly body?: unknown;
  readonly session?: string | undefined;
  readonly method?: string;
};

/** Free when asked; somebody else may be faster, which a test then says. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A key of a terminal, in PEM, and the request for its certificate. */
export async function makeRequest(terminal: string): Promise<{ key: string; csr: string }> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    ...{ name: `CN=${terminal}`, keys, signingAlgorithm: ALGORITHM },
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { key, csr: made.toString('pem') };
}

export function tokenOf(text: string): { id: string; secret: string; terminal: string } {
  const token = parseToken(text);
  if (!token.ok) throw new Error(token.reason);
  const { id, secret, terminal } = token.value;
  return { id, secret, terminal };
}

function createAsk(url: string, ca: readonly string[]) {
  /** @param path whole, as /api/v1/fleet */
  return (path: string, { body, session, method }: AskOptions = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const asked = request(
        `${url}${path}`,
        {
          ...{ method: method ?? (text === undefined ? 'GET' : 'POST'), ca: [...ca], agent: false },
          ...{ allowPartialTrustChain: true, servername: 'localhost' },
          headers: {
            ...(text !== undefined && { 'content-type': 'application/json' }),
            ...(session !== undefined && { authorization: `Bearer ${session}` }),
          },
        },
        (answer) => {
          let read = '';
          answer.setEncoding('utf8');
          answer.on('data', (part: string) => {
            read += part;
          });
          answer.on('error', reject);
          answer.on('end', () => {
            const isJson = String(answer.headers['content-type']).includes('json');
            const parsed = isJson ? JSON.parse(read) : { text: read };
            resolve({ status: answer.statusCode ?? 0, body: parsed });
          });
        },
      );
      asked.on('error', reject);
      asked.end(text);
    });
}

export type RigOptions = {
  /** Further settings of the broker, as YAML. */
  readonly settings?: string;
  readonly passphrase?: string;
  /** MQTT and HTTPS on the same port. */
  readonly onePort?: boolean;
  /** Without: `start` does it. */
  readonly started?: boolean;
};

async function init(dir: string, { settings, passphrase, onePort }: RigOptions) {
  const mqttPort = await freePort();
  const httpPort = onePort === true ? mqttPort : await freePort();
  const made = await initBroker({
    configFile: join(dir, 'broker.yaml'),
    ...{ names: ['localhost'], dataDir: join(dir, 'data'), keysDir: join(dir, 'keys') },
    ...{ host: '127.0.0.1', mqttPort, httpPort, settings, passphrase },
  });
  if (!made.ok) throw new Error(made.reason);
  return { ...made.value, mqttPort, httpPort };
}

type Asks = ReturnType<typeof createAsk>;

/** What operators do, in short. */
function createOperators(ask: Asks, { token }: Pick<Initialised, 'token'>) {
  let admin: Promise<string> | undefined;
  async function signIn(secret: string): Promise<string> {
    const { status, body } = await ask('/api/v1/session', { body: { token: secret } });
    if (status !== 201) throw new Error(`sign-in ${status}: ${String(body['detail'])}`);
    return String(body['session']);
  }
  const session = (): Promise<string> => {
    admin ??= signIn(token);
    return admin;
  };
  /** As admin, unless another session is given. */
  const api = async (path: string, body?: unknown, as?: string): Promise<Answer> =>
    await ask(`/api/v1/${path}`, { body, session: as ?? (await session()) });
  return {
    ...{ signIn, session, api },
    /** The next one signs in anew: a broker that was started at another time has ended the sessions. */
    forgetSession: (): void => {
      admin = undefined;
    },
    /** The session of a new operator. */
    operator: async (name: string, role: Role): Promise<string> => {
      const { body } = await api('operators', { name, role });
      return await signIn(String(body['token']));
    },
    /** @returns the answer of POST /terminals/{id}/{word}; an error unless it worked. */
    act: async (terminal: string, word: string, more: object = {}): Promise<Answer['body']> => {
      const answer = await api(`terminals/${terminal}/${word}`, { reason: REASON, ...more });
      if (answer.status < 300) return answer.body;
      throw new Error(`${word} ${answer.status}: ${String(answer.body['detail'])}`);
    },
  };
}

/** The broker as a process of its own. */
function createProcess({ configFile, config }: Initialised, passphrase: string | undefined) {
  let child: ChildProcess | undefined;
  let said = '';
  const isUp = (): boolean => {
    if (child?.exitCode !== null) throw new Error(`the broker ended: ${said}`);
    try {
      const facts = JSON.parse(readFileSync(join(config.dataDir, 'broker.json'), 'utf8'));
      return facts.pid === child.pid;
    } catch {
      return false;
    }
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  const start = async (env: Record<string, string> = {}): Promise<void> => {
    const secret = passphrase === undefined ? {} : { TILLWATCH_PASSPHRASE: passphrase };
    child = spawn(process.execPath, [MAIN, '--config', configFile], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, TILLWATCH_LOG: '', ...secret, ...env },
    });
    child.stderr?.on('data', (part) => {
      said += part;
    });
    await until('broker.json', isUp, READY_MS_MAX);
  };
  return { start, stop, pid: () => child?.pid };
}

function readAuthorities({ config }: Initialised): readonly string[] {
  const state = readState(config.keysDir);
  if (!state.ok) throw new Error(state.reason);
  return state.value.authorities.map(({ name }) =>
    readFileSync(paths.certificate(config.keysDir, name), 'utf8'),
  );
}

/** What a terminal sends to get a newer certificate. */
export async function renewalOf(
  { terminal, certificate, key }: Pick<RigIdentity, 'terminal' | 'certificate' | 'key'>,
  machine = MACHINE,
) {
  const next = await makeRequest(terminal);
  const signature = sign('sha256', Buffer.from(next.csr), key).toString('base64');
  return { key: next.key, body: { certificate, csr: next.csr, signature, machine } };
}

export type FleetRig = Awaited<ReturnType<typeof openFleetRig>>;

export async function openFleetRig(options: RigOptions = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'tw-fleet-'));
  const made = await init(dir, options);
  const { mqttPort, httpPort, fingerprint } = made;
  const url = `https://localhost:${httpPort}`;
  const authorities = readAuthorities(made);
  const ask = createAsk(url, authorities);
  const operators = createOperators(ask, made);
  const { start, stop, pid } = createProcess(made, options.passphrase);
  const token = async (terminal: string, store = 'store-1'): Promise<string> =>
    String((await operators.act(terminal, 'token', { store }))['token']);

  /** With a request of our own: what a terminal has in its folder, as text. */
  async function enroll(
    terminal: string,
    store = 'store-1',
    machine = MACHINE,
  ): Promise<RigIdentity> {
    const { id, secret } = tokenOf(await token(terminal, store));
    const { key, csr } = await makeRequest(terminal);
    const body = { token: { id, secret }, terminal, csr, machine };
    const answer = await ask(ENROL_PATH, { body });
    if (answer.status !== 200) throw new Error(`enrolment ${answer.status}`);
    const { certificate, trust } = answer.body as unknown as Enrolled;
    return { terminal, store, key, certificate, authorities: trust.authorities };
  }

  if (options.started !== false) await start();
  return {
    ...{ dir, url, mqttPort, httpPort, fingerprint, authorities, ask, start, stop, pid },
    ...{ token, enroll },
    ...{ configFile: made.configFile, dataDir: made.config.dataDir, keysDir: made.config.keysDir },
    ...{ operatorToken: made.token, operatorName: made.operator, ...operators },
    /** @returns what it has now, or the broker's sentence as an error. */
    renew: async (identity: RigIdentity, machine = MACHINE): Promise<RigIdentity> => {
      const { key, body } = await renewalOf(identity, machine);
      const answer = await ask(RENEW_PATH, { body });
      if (answer.status !== 200) throw new Error(String(answer.body['detail']));
      return { ...identity, key, certificate: (answer.body as Enrolled).certificate };
    },
    /** Through the program that agents start; `folder` is one for `identityDir`. */
    enrollFolder: (terminal: string, store = 'store-1') =>
      enrolByChild(join(dir, `identity-${terminal}`), terminal, () => token(terminal, store)),
    dial: (more: Partial<DialOptions> = {}): Promise<Client> =>
      dial({ port: mqttPort, authorities, ...more }),
    /** A terminal with its certificate and a CONNECT that was accepted. */
    join: async (identity: RigIdentity, hello = {}): Promise<Client> => {
      const client = await dial({ port: mqttPort, authorities, pair: identity });
      client.send(connectPacket(identity.terminal, hello));
      const connack = await client.next('connack');
      if (connack.cmd === 'connack' && connack.returnCode === 0) return client;
      throw new Error(`refused: ${JSON.stringify(connack)}`);
    },
    /** The value of a metric with these labels, as it stands on /metrics; undefined where it does not. */
    metric: async (line: string): Promise<number | undefined> => {
      const { body } = await ask('/metrics', { session: await operators.session() });
      const found = String(body['text'])
        .split('\n')
        .find((one) => one.startsWith(`${line} `));
      return found === undefined ? undefined : Number(found.split(' ').at(-1));
    },
    close: async (): Promise<void> => {
      await stop('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function enrolByChild(folder: string, terminal: string, token: () => Promise<string>) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const job = { folder, terminal, machine: MACHINE, floorMs: 0, token: await token() };
  const done = await startEnrol({ kind: 'enrol', ...job }, systemTimers).done;
  if (!done.ok) throw new Error(done.reason);
  if (!done.value.ok) throw new Error(done.value.reason);
  return folder;
}
