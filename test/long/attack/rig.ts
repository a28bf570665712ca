// What every attack is judged by: it did not get in, somebody counted it, and it stands in the audit log. All three,
// for each case, against a broker that runs in a process of its own.

import { createPrivateKey, KeyObject, type webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from '../../real/front-rig.ts';
import { Authority } from '../../real/tls-rig.ts';
import {
  type Client,
  connectPacket,
  type DialOptions,
  type FleetRig,
  type RigIdentity,
} from '../../real/trust-rig.ts';

export type Entry = {
  readonly id: number;
  readonly operator: string;
  readonly action: string;
  readonly subject: string;
  readonly reason: string;
  readonly outcome: string;
  readonly detail: Readonly<Record<string, unknown>>;
};
type Wanted = Partial<Pick<Entry, 'operator' | 'action' | 'subject' | 'outcome'>>;
export type Judged = {
  /** Metric and labels, as on /metrics; what it counts must grow. */
  readonly counted: string;
  /** A new entry of the audit log with these. */
  readonly audited: Wanted;
};

export const refusedFor = (reason: string, terminal?: string): Judged => ({
  counted: `tillwatch_broker_refused_total{reason="${reason}"}`,
  audited: {
    ...{ action: 'connection.refuse', outcome: reason },
    ...(terminal === undefined ? {} : { subject: terminal }),
  },
});

/** How somebody is judged who was refused over HTTP. */
export const answered = (route: string, status: number, audited: Wanted): Judged => ({
  counted: `tillwatch_http_requests_total{route="${route}",status="${status}"}`,
  audited,
});

const newest = async (rig: FleetRig): Promise<readonly Entry[]> =>
  (await rig.api('audit?limit=40')).body['entries'] as readonly Entry[];

/** Runs an attack that itself says when it got in, and looks for its traces. */
export async function expectRefused(
  rig: FleetRig,
  { counted, audited }: Judged,
  attack: () => Promise<void>,
): Promise<void> {
  const before = (await rig.metric(counted)) ?? 0;
  const last = (await newest(rig))[0]?.id ?? 0;
  await attack();
  const deadlineMs = performance.now() + 8_000;
  for (;;) {
    const count = (await rig.metric(counted)) ?? 0;
    const entries = (await newest(rig)).filter(({ id }) => id > last);
    const isAudited = entries.some((entry) =>
      Object.entries(audited).every(([name, value]) => Reflect.get(entry, name) === value),
    );
    if (count > before && isAudited) return;
    if (performance.now() > deadlineMs) {
      expect.soft(count, `${counted} did not grow`).toBeGreaterThan(before);
      expect(entries, 'its entry in the audit log').toContainEqual(
        expect.objectContaining(audited),
      );
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Connects as it likes, says CONNECT, and must be sent away without a session. */
export async function shutOut(
  rig: FleetRig,
  options: Partial<DialOptions>,
  clientId: string,
): Promise<void> {
  let client: Client | undefined;
  try {
    client = await rig.dial(options);
    client.send(connectPacket(clientId));
    await client.closed(8_000);
  } catch {
    // Refused in the handshake.
  }
  const accepted = client?.packets.filter(
    (packet) => packet.cmd === 'connack' && packet.returnCode === 0,
  );
  expect(accepted ?? []).toEqual([]);
  client?.end();
}

/** With a session of its own, sends something, and must lose the session for it without an answer. */
export async function cutFor(
  rig: FleetRig,
  identity: RigIdentity,
  send: (client: Client) => void,
): Promise<void> {
  const client = await rig.join(identity);
  send(client);
  await client.closed(8_000);
  expect(client.packets.filter(({ cmd }) => cmd === 'puback' || cmd === 'pubrec')).toEqual([]);
  client.end();
}

export async function settled(what: string, look: () => boolean): Promise<void> {
  await until(what, look, 8_000);
}

/** The fleet's own authority in the hands of somebody who stole its key: worst case, and to make odd certificates. */
export async function stolenAuthority(rig: FleetRig): Promise<Authority> {
  const pem = readFileSync(join(rig.keysDir, 'authority-1.key'), 'utf8');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
  const key = createPrivateKey(pem);
  const privateKey = key.toCryptoKey(algorithm, true, ['sign']) as webcrypto.CryptoKey;
  const [certificate = ''] = rig.authorities;
  const { X509Certificate } = await import('@peculiar/x509');
  const { subject, publicKey } = new X509Certificate(certificate);
  const keys = { privateKey, publicKey: (await publicKey.export()) as webcrypto.CryptoKey };
  const name = subject.split(', ').map((part) => part.trim());
  return new Authority(certificate, keys, name.join(', ').replace(/^CN=/, 'CN='));
}

export const pemOf = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
