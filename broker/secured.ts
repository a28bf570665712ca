// Everything that a broker with certificates has more than one in plain text: the fleet's trust, the gate in front
// of every handshake, what HTTPS shows, and one port for both sides where the configuration says the same twice.
// Apart from broker.ts, so that the order of the start reads the same for both.

import { isIPv6 } from 'node:net';
import { ok, type Result } from '../protocol/result.ts';
import type { Audit } from './audit.ts';
import type { World } from './back.ts';
import type { BrokerConfig } from './config.ts';
import type { HttpSecurity } from './http/secure.ts';
import type { Identities } from './identity/types.ts';
import { limitLog } from './log-limit.ts';
import type { Metrics } from './metrics.ts';
import { GATE_LIMITS } from './mqtt/limits.ts';
import type { MqttSecurity } from './mqtt/server.ts';
import type { Log, OnRefused } from './ports.ts';
import { createGate, type Room } from './tls/gate.ts';
import { openShown, ownShown, type ShownCertificate } from './tls/shown.ts';
import { followTrust } from './trust/follow.ts';
import { findOrAsk } from './trust/passphrase.ts';
import { openTrust } from './trust/trust.ts';
import type { Trust } from './trust/types.ts';

/** Undefined in plain text. */
export async function openFleetTrust(world: World, log: Log): Promise<Result<Trust | undefined>> {
  const { config, clock, timers, undo } = world;
  if (config.plainText) return ok(undefined);
  const { keysDir, names } = config;
  const passphrase = await findOrAsk(process.env, keysDir);
  if (!passphrase.ok) return passphrase;
  const ways = { passphrase: passphrase.value, clock, timers, log };
  const trust = await openTrust({ keysDir, names, ...ways });
  if (trust.ok) undo.push(trust.value.close);
  return trust;
}

/** Strangers and terminals that were refused, where somebody will look for them later. */
export const auditRefusals =
  (audit: Pick<Audit, 'refuse'>): OnRefused =>
  ({ reason, sentence, address, terminal = '' }) =>
    audit.refuse({
      ...{ operator: 'broker', action: 'connection.refuse', subject: terminal },
      ...{ reason: sentence, outcome: reason, detail: { address } },
    });

/** 0 is any free port, and twice 0 are two of them. */
export const isOnePort = ({ mqtt, http, plainText }: BrokerConfig): boolean =>
  !plainText && mqtt.port !== 0 && mqtt.port === http.port && mqtt.host === http.host;

const hostOf = (name: string): string => (isIPv6(name) ? `[${name}]` : name);

/** By which names terminals and people find it. */
export function addressesOf(config: BrokerConfig, mqttPort: number, httpPort: number) {
  const names = config.names.length > 0 ? config.names : ['localhost'];
  return {
    brokers: names.map((name) => `mqtts://${hostOf(name)}:${mqttPort}`),
    urls: names.map((name) => `https://${hostOf(name)}:${httpPort}`),
  };
}

export type Secured = {
  readonly http: HttpSecurity & Pick<World, 'clock'>;
  readonly mqtt: (admit: Identities['admit'], httpPort: number) => MqttSecurity;
};

type Shared = { readonly metrics: Metrics; readonly audit: Audit; readonly log: Log };

function openShownOf({ config, timers }: World, trust: Trust, log: Log): ShownCertificate {
  const { certificate, key } = config.http;
  const own = ownShown(trust);
  if (certificate === undefined || key === undefined) return own;
  return openShown({ certificate, key }, own, timers, log);
}

export function openSecured(world: World, trust: Trust, shared: Shared): Secured {
  const { config, clock, timers, undo } = world;
  const { limits } = config;
  const { metrics, audit } = shared;
  const shown = openShownOf(world, trust, shared.log);
  undo.push(shown.close);
  const connects = { burst: limits.connectBurst, perSecond: limits.connectsPerSecond };
  const { handshakes, handshakesPerAddress } = limits;
  const gate = createGate({
    limits: { ...GATE_LIMITS, connects, handshakes, handshakesPerAddress },
    ...{ clock, timers, metrics, log: limitLog(shared.log, clock) },
    onRefused: auditRefusals(audit),
  });
  undo.push(gate.stop);
  metrics.watch({ handshakes: gate.handshakes });
  const { certificate } = config.http;
  undo.push(followTrust({ trust, certificate, audit, metrics, clock, timers, log: shared.log }));
  const { handshakeMsMax } = GATE_LIMITS;
  let terminals: Room | undefined;
  const enter = (room: Room): void => {
    terminals = room;
  };
  const onePort = isOnePort(config);
  return {
    http: {
      ...{ gate, handshakeMsMax, clock, shown, own: ownShown(trust) },
      limits: {
        connectionsPerAddress: limits.httpConnectionsPerAddress,
        requestsPerSecond: limits.httpRequestsPerSecond,
      },
      ...(onePort && { terminals: () => terminals, terminalsMax: limits.connections }),
    },
    mqtt: (admit, port) => ({
      ...{ trust, gate, handshakeMsMax },
      judges: { readClient: trust.readClient, admit, nowMs: clock.wallMs },
      ...(onePort && { shared: { port, enter } }),
    }),
  };
}
