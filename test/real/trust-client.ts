// One raw connection as a terminal or a stranger would make it: TLS with or without a certificate, and MQTT packets as
// they are wanted, also wrong ones. No client library, which would connect again, keep alive and hide why it ended.

import { connect as connectPlain } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type IConnectPacket, type Packet, parser, writeToStream } from 'mqtt-packet';
import { formatHello, type Hello } from '../../protocol/hello.ts';
import { commandTopic, upTopic } from '../../protocol/topics.ts';
import { type Ack, decodeAck } from '../../protocol/wire.ts';
import { until } from './front-rig.ts';

export const MACHINE = 'a'.repeat(16);
const INSTANCE = '1'.repeat(16);

/** What a terminal has after its enrolment. */
export type RigIdentity = {
  readonly terminal: string;
  readonly store: string;
  readonly key: string;
  readonly certificate: string;
  readonly authorities: readonly string[];
};

export type DialOptions = {
  readonly port: number;
  readonly host?: string;
  /** The server is not judged without. */
  readonly authorities?: readonly string[];
  readonly pair?: { readonly key: string; readonly certificate: string } | undefined;
  readonly protocols?: readonly string[];
  readonly plain?: boolean;
};

export type Client = {
  readonly socket: TLSSocket;
  readonly packets: readonly Packet[];
  readonly send: (packet: Packet) => void;
  /** The next packet of this kind that was not waited for before. */
  readonly next: (cmd: Packet['cmd'], ms?: number) => Promise<Packet>;
  /** Monotonic time at which the other side ended it; undefined while it is open. */
  readonly closedMs: () => number | undefined;
  readonly closed: (ms?: number) => Promise<number>;
  readonly acks: () => readonly Ack[];
  readonly end: () => void;
};

/** @returns once the handshake is over, or with why there was none. */
export async function dial(options: DialOptions): Promise<Client> {
  const { port, host = '127.0.0.1', authorities, pair, protocols = ['mqtt'], plain } = options;
  const socket = plain
    ? (connectPlain({ host, port }) as unknown as TLSSocket)
    : connectTls({
        ...{ host, port, servername: 'localhost', ALPNProtocols: [...protocols] },
        ...{ minVersion: 'TLSv1.3', rejectUnauthorized: authorities !== undefined },
        ...(authorities && { ca: [...authorities], allowPartialTrustChain: true }),
        ...(pair && { key: pair.key, cert: pair.certificate }),
      });
  const packets: Packet[] = [];
  const read = parser({ protocolVersion: 4 });
  read.on('packet', (packet: Packet) => packets.push(packet));
  socket.on('data', (bytes: Buffer) => read.parse(bytes));
  let closedMs: number | undefined;
  let why = '';
  socket.on('error', (error) => {
    why = error.message;
  });
  socket.on('close', () => {
    closedMs = performance.now();
  });
  let ready = false;
  socket.once(plain ? 'connect' : 'secureConnect', () => {
    ready = true;
  });
  await until('a handshake', () => ready || closedMs !== undefined);
  if (!ready) throw new Error(`no connection: ${why || 'it was closed'}`);
  let taken = 0;
  return {
    ...{ socket, packets, closedMs: () => closedMs },
    send: (packet) => writeToStream(packet, socket),
    next: (cmd, ms = 5_000) =>
      until(
        `a packet ${cmd} (${why})`,
        () => {
          const index = packets.findIndex((packet, at) => at >= taken && packet.cmd === cmd);
          if (index < 0 && closedMs !== undefined)
            throw new Error(`it ended without ${cmd}: ${why}`);
          if (index < 0) return undefined;
          taken = index + 1;
          return packets[index];
        },
        ms,
      ),
    closed: (ms = 5_000) => until('the end of the connection', () => closedMs, ms),
    acks: () =>
      packets.flatMap((packet) => {
        if (packet.cmd !== 'publish' || !packet.topic.endsWith('/down/ack')) return [];
        const ack = decodeAck(packet.payload as Buffer);
        return ack.ok ? [ack.value] : [];
      }),
    end: () => socket.destroy(),
  };
}

/** CONNECT as our agent sends it, with what should be different. */
export const connectPacket = (
  clientId: string,
  hello: Partial<Hello> | undefined = {},
  more: Partial<IConnectPacket> = {},
): IConnectPacket => ({
  ...{
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    clientId,
  },
  ...(hello && {
    username: formatHello({ machine: MACHINE, instance: INSTANCE, trust: 1, ...hello }),
  }),
  ...more,
});

export const publishPacket = (
  terminal: string,
  payload: Uint8Array,
  topic = upTopic(terminal, 'events'),
  messageId = 1,
): Packet => ({
  ...{ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, messageId },
  ...{ retain: false, dup: false },
});

export const subscribePacket = (terminal: string, topic = commandTopic(terminal)): Packet => ({
  ...{ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic, qos: 1 }] },
});
