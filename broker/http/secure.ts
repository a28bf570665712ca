// HTTPS behind the gate: one Fastify server that listens on its port and begins no handshake by itself. Where a
// certificate of another authority is shown to people, agents and our own command line still get the fleet's, because
// that is the one they pin: they ask for it by ALPN, which the gate reads anyway. The same port may be the
// terminals' as well, which ask for MQTT the same way.

import { createSecureContext, TLSSocket, type Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { OWN_PROTOCOL } from '../../protocol/enrolment.ts';
import type { Cancel } from '../clock.ts';
import { httpsContext, MQTT_PROTOCOL, type Shown } from '../tls/contexts.ts';
import type { Gate, Room } from '../tls/gate.ts';
import type { ShownCertificate } from '../tls/shown.ts';
import { createTallies } from '../tls/tallies.ts';
import { CONNECTIONS_MAX, type HttpLimits } from './limits.ts';

export type HttpSecurity = {
  readonly gate: Gate;
  readonly shown: ShownCertificate;
  /** What the fleet's authority vouches for. */
  readonly own: { readonly now: () => Shown; readonly onChange: (listener: () => void) => Cancel };
  readonly handshakeMsMax: number;
  readonly limits: HttpLimits;
  /** Who asks for MQTT on this port; undefined where that has a port of its own, or nobody is there yet. */
  readonly terminals?: (() => Room | undefined) | undefined;
  /** Connections of those on this port. */
  readonly terminalsMax?: number | undefined;
};

const HTTP_ALPN = Buffer.from('\x08http/1.1', 'latin1');

/** A handshake with another certificate than the server's own. */
function beginOwn(server: TlsServer, context: () => ReturnType<typeof createSecureContext>) {
  return (socket: ConstructorParameters<typeof TLSSocket>[0]): void => {
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: context(),
      requestCert: false,
      ALPNProtocols: HTTP_ALPN as never,
    });
    secured.on('error', () => secured.destroy());
    secured.once('secure', () => server.emit('secureConnection', secured));
  };
}

/** @returns what undoes it. */
export function secureApp(app: FastifyInstance, security: HttpSecurity): Cancel {
  const { gate, shown, own, limits, terminals, terminalsMax = 0 } = security;
  const server = app.server as unknown as TlsServer;
  // Who is still in front of the handshake has room of its own, or one address could take everybody's.
  server.maxConnections = CONNECTIONS_MAX + terminalsMax + gate.handshakesMax;
  server.on('drop', (dropped) => {
    const address = dropped?.remoteAddress ?? 'unknown';
    gate.refuse(address, 'too_many_connections', 'all connections of the port are taken');
  });
  const perAddress = createTallies();
  let people = 0;
  const refuses = (address: string): 'too_many_connections' | undefined =>
    people >= CONNECTIONS_MAX || perAddress.of(address) >= limits.connectionsPerAddress
      ? 'too_many_connections'
      : undefined;
  server.on('secureConnection', (socket) => {
    const address = socket.remoteAddress ?? 'unknown';
    // Asked again: many handshakes at once all began while there was room for one.
    const why = refuses(address);
    if (why !== undefined) {
      gate.refuse(address, why, 'there is no room for it');
      socket.destroy();
      return;
    }
    people += 1;
    perAddress.more(address);
    socket.once('close', () => {
      people -= 1;
      perAddress.less(address);
    });
  });
  const forPeople: Room = { begin: gate.open(server), refuses };
  let context = createSecureContext(httpsContext(own.now()));
  const forOurs: Room = { begin: beginOwn(server, () => context), refuses };
  const nobody: Room = { begin: (socket) => void socket.destroy(), refuses: () => 'handshake' };
  gate.guard(server, ({ protocols }) => {
    if (terminals !== undefined && protocols.includes(MQTT_PROTOCOL)) return terminals() ?? nobody;
    return protocols.includes(OWN_PROTOCOL) ? forOurs : forPeople;
  });
  const undo = [
    shown.onChange(() => server.setSecureContext(httpsContext(shown.now()))),
    own.onChange(() => {
      context = createSecureContext(httpsContext(own.now()));
    }),
  ];
  return () => {
    for (const step of undo) step();
  };
}
