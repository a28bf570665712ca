// Where the broker listens, what it is called and where its keys are. Without `plainText` both ports speak TLS and may
// be on any address. The same port twice is one port for both, for stores whose firewall lets out nothing but 443.

import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { type Found, group, objectAt, whole } from './config-parts.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** A name could resolve to another address tomorrow; of names only `localhost` is fixed [RFC 6761 6.3]. */
const isLoopback = (host: string): boolean => {
  const family = isIP(host);
  if (family === 0) return host === 'localhost';
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
};
const LOOPBACK_ONLY =
  'must be a loopback address (127.0.0.1, ::1 or localhost) with `plainText: true`: ' +
  'whoever reached this port could speak for any till';
const TLS_ONLY = 'is for `plainText: true` only: whoever has a certificate is enrolled';

const HOSTS = { plain: '127.0.0.1', tls: '0.0.0.0' } as const;
/** The same port twice is shared: who asks for MQTT by ALPN gets that [RFC 7301]. */
export const PORTS = {
  mqtt: { plain: 1883, tls: 8883 },
  http: { plain: 8080, tls: 8443 },
} as const;

const host = v.optional(v.pipe(v.string('must be text'), v.nonEmpty('must be an address')));
/** 0 takes any free port; broker.json says which. */
const port = v.optional(whole(0, 65_535));
const file = v.optional(v.pipe(v.string('must be a file'), v.nonEmpty('must be a file')));
/** What people and terminals call this broker: a name or an address, as it stands in certificates. */
const name = v.pipe(
  v.string('must be a host name or an address'),
  v.check(
    (text) => isIP(text) !== 0 || /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(text),
    'must be a host name or an address, without a port',
  ),
);
const metrics = v.optional(v.picklist(['public', 'operators'], 'must be public or operators'));
const NAMES_MAX = 16;

export const placeSettings = {
  dataDir: v.optional(
    v.pipe(v.string('must be a folder'), v.minLength(1, 'must be a folder')),
    '/var/lib/tillwatch',
  ),
  // Without certificates, on this machine alone: for a demo, for tests and to try things out.
  plainText: v.optional(v.boolean('must be true or false'), false),
  // In its own certificate and in what terminals are told at their enrolment.
  names: v.optional(
    v.pipe(v.array(name, 'must be a list'), v.maxLength(NAMES_MAX, `at most ${NAMES_MAX}`)),
    [],
  ),
  // Authority and command-signing key, apart from the data and its backups; dataDir if not said.
  keysDir: file,
  mqtt: group({ host, port }),
  // A certificate of another authority, which browsers know; else the fleet's own makes one.
  // metrics: who may read /metrics: anybody, or operators only, which is what it is unless plainText.
  http: group({ host, port, certificate: file, key: file, metrics }),
};

const schema = v.object(placeSettings);
type Written = v.InferOutput<typeof schema>;
type Place = { readonly host: string; readonly port: number };
export type Places = {
  readonly dataDir: string;
  readonly keysDir: string;
  readonly mqtt: Place;
  readonly http: Place & {
    readonly certificate: string | undefined;
    readonly key: string | undefined;
    readonly metrics: 'public' | 'operators';
  };
};

/** What goes with plain text, and what does not. */
export function openPlaces(value: unknown): Found[] {
  const found: Found[] = [];
  const { plainText = false, acceptUnknown } = value as Record<string, unknown>;
  for (const side of ['mqtt', 'http'] as const) {
    const { host, certificate, key } = objectAt(value, side);
    if (plainText === true && typeof host === 'string' && !isLoopback(host)) {
      found.push({ path: [side, 'host'], sentence: LOOPBACK_ONLY });
    }
    if ((certificate === undefined) !== (key === undefined)) {
      found.push({ path: [side], sentence: 'certificate and key go together' });
    }
  }
  if (plainText !== true && acceptUnknown === true) {
    found.push({ path: ['acceptUnknown'], sentence: TLS_ONLY });
  }
  return found;
}

/** Fills in what the file leaves out, and makes every path absolute. */
export function settlePlaces(written: Written, folder: string): Places {
  const how = written.plainText ? 'plain' : 'tls';
  const { http } = written;
  const place = (side: 'mqtt' | 'http'): Place => {
    const { host, port } = written[side];
    return { host: host ?? HOSTS[how], port: port ?? PORTS[side][how] };
  };
  const at = (path: string | undefined) => path && resolve(folder, path);
  const dataDir = resolve(folder, written.dataDir);
  const keysDir = resolve(folder, written.keysDir ?? dataDir);
  const certificate = at(http.certificate);
  const metrics = http.metrics ?? (written.plainText ? 'public' : 'operators');
  return {
    ...{ dataDir, keysDir, mqtt: place('mqtt') },
    http: { ...place('http'), certificate, key: at(http.key), metrics },
  };
}
