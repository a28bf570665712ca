// Stands between an agent and its broker and writes down what they say: in plain text as a port of its own, under TLS as
// the proxy of a store that holds the keys of both (the broker's certificate towards the agent, the terminal's towards
// the broker), because nothing else could see what travels between two programs that run as they do in a store.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createServer as createTls, type TLSSocket } from 'node:tls';
import { type Packet, parser } from 'mqtt-packet';
import { parseTopic } from '../../protocol/topics.ts';
import { type Line, toBase64 } from './recording.ts';

export type Tap = {
  readonly port: number;
  readonly lines: readonly Line[];
  /** While it is closed, connections are refused: a store without a line. */
  readonly open: (isOpen: boolean) => void;
  readonly close: () => void;
};

const lineOf = (packet: Packet): Line | undefined => {
  if (packet.cmd === 'connect') {
    const user = packet.username === undefined ? {} : { user: packet.username };
    return { what: 'connect', client: packet.clientId, ...user };
  }
  if (packet.cmd !== 'publish') return undefined;
  const topic = parseTopic(packet.topic);
  if (!topic.ok || topic.value.kind === 'gone') return undefined;
  const data = toBase64(packet.payload as Buffer);
  if (topic.value.kind === 'up') return { what: 'batch', stream: topic.value.stream, data };
  return { what: topic.value.kind, data };
};

/** Reads MQTT beside what passes. */
function listen(stream: Duplex, lines: Line[]): void {
  const reader = parser({ protocolVersion: 4 });
  reader.on('packet', (packet: Packet) => {
    const line = lineOf(packet);
    if (line !== undefined) lines.push(line);
  });
  stream.on('data', (bytes: Buffer) => reader.parse(bytes));
}

/** One question and its answer on each connection: that is how terminals enrol. */
function listenHttp(asking: Duplex, answering: Duplex, lines: Line[]): void {
  let [asked, answered] = ['', ''];
  asking.on('data', (bytes: Buffer) => (asked += bytes));
  answering.on('data', (bytes: Buffer) => (answered += bytes));
  answering.once('close', () => {
    const [, path = ''] = asked.split(' ');
    const bodyOf = (text: string): Record<string, unknown> =>
      JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
    if (!answered.includes('{')) return;
    const status = Number(answered.split(' ')[1]);
    lines.push({ what: 'https', path, asked: bodyOf(asked), status, answer: bodyOf(answered) });
  });
}

function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}

async function tapOn(
  server: Server,
  lines: Line[],
  sockets: Set<Socket>,
  accept: (socket: Socket) => void,
) {
  let isOpen = true;
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    if (!isOpen) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    accept(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const tap: Tap = {
    ...{ port: (server.address() as AddressInfo).port, lines },
    open: (value) => {
      isOpen = value;
      if (!value) cut();
    },
    close: () => {
      cut();
      server.close();
    },
  };
  return tap;
}

export function startPlainTap(brokerPort: number): Promise<Tap> {
  const lines: Line[] = [];
  return tapOn(createServer(), lines, new Set(), (agent) => {
    const broker = connect(brokerPort, '127.0.0.1');
    listen(agent, lines);
    listen(broker, lines);
    join(agent, broker);
  });
}

export type Pair = { readonly key: string; readonly certificate: string };

export type SecureTapOptions = {
  /** What the broker shows, with its authority behind it. */
  readonly broker: Pair;
  readonly authorities: readonly string[];
  /** The terminal's, once it has one. */
  readonly terminal: () => Pair | undefined;
};

/** A proxy by CONNECT [RFC 9110 9.3.6]. */
export function startSecureTap(options: SecureTapOptions): Promise<Tap> {
  const { broker: shown, authorities, terminal } = options;
  const lines: Line[] = [];
  /** Where the next connection is meant to go; they come one after the other. */
  const targets = new Map<Duplex, number>();
  const inner = createTls({
    ...{ key: shown.key, cert: shown.certificate, minVersion: 'TLSv1.3' },
    ...{ requestCert: true, rejectUnauthorized: false },
    ALPNCallback: ({ protocols }) => protocols[0],
  });
  inner.on('tlsClientError', () => undefined);
  inner.on('secureConnection', (agent: TLSSocket) => {
    const port = [...targets.values()].at(-1) ?? 0;
    const protocol = agent.alpnProtocol || 'mqtt';
    const pair = protocol === 'mqtt' ? terminal() : undefined;
    const protocols = protocol === 'mqtt' ? [protocol] : [protocol, 'http/1.1'];
    const broker = connectTls({
      ...{ host: '127.0.0.1', port, servername: 'localhost', ALPNProtocols: protocols },
      ...{ ca: [...authorities], allowPartialTrustChain: true, minVersion: 'TLSv1.3' },
      ...(pair === undefined ? {} : { key: pair.key, cert: pair.certificate }),
    });
    if (protocol === 'mqtt') {
      listen(agent, lines);
      listen(broker, lines);
    } else listenHttp(agent, broker, lines);
    join(agent, broker);
  });
  return tapOn(createServer(), lines, new Set(), (agent) => {
    agent.once('data', (head) => {
      targets.set(agent, Number(/^CONNECT \S+:(\d+) /.exec(head.toString())?.[1]));
      agent.once('close', () => targets.delete(agent));
      agent.pause();
      agent.write('HTTP/1.1 200 OK\r\n\r\n');
      inner.emit('connection', agent);
    });
  });
}
