// The part of the agent's configuration that is about its broker: where it is, through which proxy, and what is allowed
// from there. Without `plainText` the link is TLS with the certificate that the till got at its enrolment, and the
// addresses are those it was told then; the file names others only where a store needs them.

import * as v from 'valibot';
import { COMMAND_KINDS } from '../protocol/commands.ts';
import { account } from './component.ts';
import { DEFAULTS } from './defaults.ts';
import { isLoopback, list, oneOf, port, strict, text, truth, whole } from './words.ts';

/** Tried in turn; more are a mistake. */
export const ADDRESSES_MAX = 8;
/** That a document may name. */
const USERS_MAX = 64;
export const MQTT_TLS_PORT = 8883;

const address = v.pipe(
  text('an address', 300),
  v.check((url) => parseAddress(url) !== undefined, 'must read mqtts://HOST or mqtts://HOST:PORT'),
);

const proxy = v.pipe(
  text('an address', 300),
  v.check((url) => {
    const parsed = URL.parse(url);
    return parsed?.protocol === 'http:' && parsed.hostname !== '' && parsed.pathname === '/';
  }, 'must read http://HOST:PORT or http://NAME:PASSWORD@HOST:PORT'),
);

export type Address = { readonly host: string; readonly port: number };

export function parseAddress(url: string): Address | undefined {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'mqtts:' || parsed.hostname === '' || parsed.username !== '') {
    return undefined;
  }
  if (!/^\/?$/.test(parsed.pathname) || parsed.search !== '' || parsed.hash !== '')
    return undefined;
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: parsed.port === '' ? MQTT_TLS_PORT : Number(parsed.port) };
}

export const brokerEntry = v.optional(
  strict({
    /** Without certificates, to a broker on this machine. */
    plainText: v.optional(truth, false),
    /** With plainText only. */
    host: v.optional(text('a host', 255), DEFAULTS.broker.host),
    port: v.optional(port, DEFAULTS.broker.port),
    /** In place of those told at enrolment. */
    addresses: v.optional(list(address, ADDRESSES_MAX), []),
    /** HTTP CONNECT, for the link and for enrolment. */
    proxy: v.optional(proxy),
  }),
  {},
);

export const boundsEntry = v.optional(
  strict({
    /** Kinds of commands that are obeyed here. */
    commands: v.optional(list(oneOf(...COMMAND_KINDS), COMMAND_KINDS.length), [...COMMAND_KINDS]),
    /** As whom a document of the fleet may run something; not said: as anybody but root. */
    users: v.optional(list(account('a user'), USERS_MAX)),
    /** Of components, by operators. */
    restartsPerHour: v.optional(
      whole(0, 1_000, 'a whole number of restarts'),
      DEFAULTS.bounds.restartsPerHour,
    ),
    rebootsPerHour: v.optional(
      whole(0, 60, 'a whole number of reboots'),
      DEFAULTS.bounds.rebootsPerHour,
    ),
  }),
  {},
);

export const NEEDS_LOOPBACK =
  'must be on this machine (127.0.0.1, ::1 or localhost) with plainText: elsewhere the link is encrypted';
export const NEEDS_ADDRESSES =
  'is for plainText only: write addresses, such as [mqtts://broker.example.com:8883]';

/** What does not fit together, as path below `broker` and sentence; asked of the raw value. */
export function misplacedIn(broker: Readonly<Record<string, unknown>>): [string, string][] {
  const { plainText, host, port: number, addresses } = broker;
  if (plainText === true) {
    const found: [string, string][] = [];
    if (typeof host === 'string' && !isLoopback(host)) found.push(['host', NEEDS_LOOPBACK]);
    if (addresses !== undefined)
      found.push(['addresses', 'is not for plainText: write host, port']);
    return found;
  }
  return [
    ...(host === undefined ? [] : [['host', NEEDS_ADDRESSES] as [string, string]]),
    ...(number === undefined ? [] : [['port', NEEDS_ADDRESSES] as [string, string]]),
  ];
}
