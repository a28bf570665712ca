// A TCP proxy between a terminal and its broker that knows enough MQTT to take the application's
// acknowledgements out of the stream and let everything else pass, PUBACKs too. What is taken was sent by a
// broker that has the batch on disk: the terminal must send it again, and the broker must know it.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { decodeAck } from '../../protocol/wire.ts';

const PUBLISH = 3;

/** Splits what a broker sends into packets. @returns what is left of one that is cut. */
function split(data: Buffer, take: (packet: Buffer) => void): Buffer {
  let at = 0;
  for (;;) {
    let length = 0;
    let bytes = 1;
    let byte = 0x80;
    while ((byte & 0x80) !== 0) {
      const next = data[at + bytes];
      if (next === undefined) return data.subarray(at);
      byte = next;
      length += (byte & 0x7f) * 128 ** (bytes - 1);
      bytes += 1;
    }
    const end = at + bytes + length;
    if (end > data.length) return data.subarray(at);
    take(data.subarray(at, end));
    at = end;
  }
}

/** Whether it acknowledges something: the greeting, which only tells the time, may pass. */
function namesBatches(packet: Buffer): boolean {
  const at = packet.indexOf('/down/ack');
  if ((packet[0] ?? 0) >> 4 !== PUBLISH || at < 0) return false;
  const ack = decodeAck(packet.subarray(at + '/down/ack'.length + 2));
  return ack.ok && ack.value.streams.length > 0;
}

export type AckThief = {
  readonly port: number;
  /** Acknowledgements that never reached the terminal. */
  readonly taken: () => number;
  readonly steal: (isStealing: boolean) => void;
  /** Ends the connection as a broken line does. */
  readonly cut: () => void;
  readonly close: () => void;
};

export async function startAckThief(brokerPort: number): Promise<AckThief> {
  let taken = 0;
  let isStealing = true;
  const sockets = new Set<Socket>();
  const server = createServer((terminal) => {
    const broker = connect(brokerPort, '127.0.0.1');
    let rest = Buffer.alloc(0);
    broker.on('data', (chunk) => {
      rest = Buffer.from(
        split(Buffer.concat([rest, chunk]), (packet) => {
          if (isStealing && namesBatches(packet)) taken += 1;
          else terminal.write(packet);
        }),
      );
    });
    terminal.pipe(broker);
    for (const [socket, other] of [
      [terminal, broker],
      [broker, terminal],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    taken: () => taken,
    steal: (value) => {
      isStealing = value;
    },
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
}
