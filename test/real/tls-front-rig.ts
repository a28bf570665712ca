// A front with TLS on a free port: an authority made for the test, certificates of every kind that should and should not
// be let in, and identities that the test changes by hand.

import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { IClientOptions } from 'mqtt';
import { systemClock, systemTimers } from '../../broker/clock.ts';
import { type Front, startFront } from '../../broker/front.ts';
import type { CutListener } from '../../broker/identity/types.ts';
import { openLedger } from '../../broker/ledger.ts';
import { GATE_LIMITS, MQTT_LIMITS, type MqttLimits } from '../../broker/mqtt/limits.ts';
import type { Refusal } from '../../broker/ports.ts';
import { createGate } from '../../broker/tls/gate.ts';
import type { GateLimits } from '../../broker/tls/waiting.ts';
import {
  fingerprintOf,
  type Issuer,
  issueTerminal,
  makeAuthority,
  makeServer,
} from '../../broker/trust/certificates.ts';
import { readClient } from '../../broker/trust/read.ts';
import type { ServerIdentity } from '../../broker/trust/types.ts';
import { loadX509 } from '../../broker/trust/x509.ts';
import type { Hello } from '../../protocol/hello.ts';
import type { Result } from '../../protocol/result.ts';
import { connectTerminal, type Terminal, until } from './front-rig.ts';

export const DAY_MS = 86_400_000;
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

export type Certificate = { readonly cert: string; readonly key: string };
export type TestAuthority = {
  readonly certificate: string;
  readonly server: () => Promise<Certificate>;
  /** @param nowMs when it is issued, for one day unless `days` says otherwise. */
  readonly terminal: (id: string, nowMs?: number, days?: number) => Promise<Certificate>;
};

export async function newAuthority(): Promise<TestAuthority> {
  const { privateKey } = newKey();
  const certificate = await makeAuthority(privateKey, Date.now());
  const issuer: Issuer = { certificate, key: privateKey };
  return {
    certificate,
    server: async () => {
      const pair = newKey();
      const made = must(await makeServer(issuer, pair.publicKey, [], Date.now()));
      return { cert: made.certificate, key: pemOf(pair.privateKey) };
    },
    terminal: async (id, nowMs = Date.now(), days = 1) => {
      const x509 = await loadX509();
      const pair = newKey();
      const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
      const keys = {
        publicKey: pair.publicKey.toCryptoKey(algorithm, true, ['verify']),
        privateKey: pair.privateKey.toCryptoKey(algorithm, true, ['sign']),
      };
      const signingAlgorithm = { ...algorithm, hash: 'SHA-256' };
      const name = `CN=${id}`;
      const csr = await x509.Pkcs10CertificateRequestGenerator.create({
        ...{ name, keys, signingAlgorithm },
      });
      const wanted = { terminal: id, csrPem: csr.toString('pem'), days };
      const made = must(await issueTerminal(issuer, wanted, nowMs));
      return { cert: made.certificate, key: pemOf(pair.privateKey) };
    },
  };
}

export type TlsRig = Awaited<ReturnType<typeof startTlsRig>>;

type Wishes = { readonly limits?: Partial<MqttLimits>; readonly gate?: Partial<GateLimits> };

/** What the test says of terminals; who is not mentioned is enrolled. */
function fakeIdentities() {
  const states = new Map<string, 'suspended' | 'revoked' | 'renewed'>();
  const listeners = new Set<CutListener>();
  const greetings: { terminal: string; hello: Hello | undefined }[] = [];
  const sentence = 'this terminal was revoked';
  const may = (terminal: string) =>
    states.get(terminal) === 'revoked'
      ? ({ ok: false, reason: 'revoked', sentence } as const)
      : ({ ok: true } as const);
  const renewed = 'its certificate was renewed, and the new one used';
  const admit = ({ terminal }: { terminal: string }) =>
    states.get(terminal) === 'renewed'
      ? ({ ok: false, reason: 'certificate', sentence: renewed } as const)
      : may(terminal);
  return {
    states,
    greetings,
    revoke: (terminal: string): void => {
      states.set(terminal, 'revoked');
      for (const listener of listeners) listener(terminal, 'revoked', sentence);
    },
    front: {
      admit,
      mayConnect: may,
      isSuspended: (terminal: string) => states.get(terminal) === 'suspended',
      greeted: (terminal: string, hello: Hello | undefined) => {
        greetings.push({ terminal, hello });
      },
      onCut: (listener: CutListener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    admit,
  };
}

async function openFakeTrust() {
  const authority = await newAuthority();
  let server: ServerIdentity = {
    ...(await authority.server()),
    authorities: [authority.certificate],
  };
  const listeners = new Set<(server: ServerIdentity) => void>();
  return {
    authority,
    server: () => server,
    replace: (next: ServerIdentity): void => {
      server = next;
      for (const listener of listeners) listener(server);
    },
    onServer: (listener: (server: ServerIdentity) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    readClient: (der: string | Buffer) =>
      readClient(
        der,
        server.authorities.map((pem) => ({
          fingerprint: fingerprintOf(pem),
          certificate: new X509Certificate(pem),
        })),
      ),
  };
}

export async function startTlsRig({ limits = {}, gate: gateLimits = {} }: Wishes = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'tw-tls-'));
  const ledger = openLedger({ path: join(dir, 'ledger.db'), clock: systemClock });
  const counts = new Map<string, number>();
  const count = (name: string, times = 1): void => {
    counts.set(name, (counts.get(name) ?? 0) + times);
  };
  const told: string[] = [];
  const refusals: Refusal[] = [];
  const logged: { message: string; fields: unknown }[] = [];
  const write = (message: string, fields: unknown): number => logged.push({ message, fields });
  const log = { info: write, warn: write, error: write };
  const metrics = {
    connects: (result: string) => count(`connects ${result}`),
    refused: (reason: string) => count(`refused ${reason}`),
    slowed: (limit: string) => count(`slowed ${limit}`),
    batches: (stream: string, result: string, times?: number) =>
      count(`${stream} ${result}`, times),
    commitSeconds: () => count('commits'),
  };
  const trust = await openFakeTrust();
  const identities = fakeIdentities();
  const onRefused = (refusal: Refusal): void => void refusals.push(refusal);
  const outside = { clock: systemClock, timers: systemTimers, metrics, log, onRefused };
  const allLimits = { ...GATE_LIMITS, connects: MQTT_LIMITS.connects, ...gateLimits };
  const gate = createGate({ ...outside, limits: allLimits });
  const { readClient: read } = trust;
  const judges = { readClient: read, admit: identities.admit, nowMs: () => Date.now() };
  const started = await startFront({
    ...outside,
    ...{ host: '127.0.0.1', port: 0, ledger },
    limits: { ...MQTT_LIMITS, ...limits },
    fleet: {
      isKnown: (terminal) => terminal.startsWith('lane-'),
      sessionOpened: (terminal) => told.push(`${terminal} opened`),
      sessionClosed: (terminal, why) => told.push(`${terminal} ${why}`),
    },
    identities: identities.front,
    security: { trust, judges, gate, handshakeMsMax: allLimits.handshakeMsMax },
    onCommandReady: (terminal) => told.push(`${terminal} ready`),
  });
  const front: Front = must(started);
  const terminals: Terminal[] = [];
  const certificates = new Map<string, Promise<Certificate>>();
  const certificateOf = (id: string): Promise<Certificate> => {
    const made = certificates.get(id) ?? trust.authority.terminal(id);
    certificates.set(id, made);
    return made;
  };
  const tlsOptions = (certificate: Partial<Certificate>): ConnectionOptions => ({
    ...{ host: '127.0.0.1', port: front.port, ...certificate },
    ca: trust.server().authorities as string[],
    ALPNProtocols: ['mqtt'],
  });
  return {
    ...{ front, trust, identities, gate, counts, told, refusals, logged, ledger },
    counted: (name: string): number => counts.get(name) ?? 0,
    certificateOf,
    tlsOptions,
    /** A socket that did its handshake; what then happens to it is told. */
    socket: async (certificate: Partial<Certificate>, more: ConnectionOptions = {}) => {
      const socket = tls.connect({ ...tlsOptions(certificate), ...more });
      return await watch(socket);
    },
    terminal: async (id: string, options: Partial<IClientOptions> = {}): Promise<Terminal> => {
      const secured = { protocol: 'mqtts', ...(await certificateOf(id)) } as const;
      const { ca } = tlsOptions({});
      const settings = { ...secured, ca, ALPNProtocols: ['mqtt'], ...options } as IClientOptions;
      const terminal = await connectTerminal(front.port, id, settings);
      terminals.push(terminal);
      return terminal;
    },
    close: async (): Promise<void> => {
      for (const terminal of terminals) await terminal.end();
      gate.stop();
      await front.stop();
      ledger.close();
      rmSync(dir, { recursive: true });
    },
  };
}

/** Follows a TLS socket to its end. */
export async function watch(socket: TLSSocket) {
  const got: Buffer[] = [];
  const state = { secure: false, closed: false, error: '' };
  socket.on('secureConnect', () => {
    state.secure = true;
  });
  socket.on('data', (chunk: Buffer) => got.push(chunk));
  socket.on('error', (error) => {
    state.error = error.message;
  });
  socket.on('close', () => {
    state.closed = true;
  });
  await until('a handshake, or its end', () => state.secure || state.closed);
  return {
    socket,
    ...{ got: () => Buffer.concat(got), closed: () => state.closed, error: () => state.error },
    isSecure: state.secure,
  };
}
