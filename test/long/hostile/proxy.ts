// Somebody in the middle who has everything that a broker has but the key that signs commands: it reads each packet both
// ways and drops, delays, repeats and reorders it, keeps what it saw for later, changes commands byte by byte and
// invents its own. Seeded. It begins when it is told to, and ends the same way.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { commandTopic } from '../../../protocol/topics.ts';
import type { Dice } from '../fuzz/mutate.ts';

const PUBLISH = 3;
const KEPT_MAX = 64;
const DELAY_MS_MAX = 600;
const LATE_MS_MAX = 4_000;

/** Whole packets of a stream. @returns what is left of one that is cut. */
function split(data: Buffer, take: (packet: Buffer) => void): Buffer {
  let at = 0;
  for (;;) {
    let [length, bytes, byte] = [0, 1, 0x80];
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

export type HostileOptions = {
  readonly target: number;
  readonly terminal: string;
  readonly dice: Dice;
  /** What it says as if it were a broker, besides what it changes. */
  readonly invent: () => Uint8Array;
};
export type Deed =
  | 'passed'
  | 'dropped'
  | 'delayed'
  | 'repeated'
  | 'changed'
  | 'invented'
  | 'late'
  | 'cut';

export async function startHostile({ target, terminal, dice, invent }: HostileOptions) {
  const deeds = new Map<Deed, number>();
  const did = (deed: Deed): void => void deeds.set(deed, (deeds.get(deed) ?? 0) + 1);
  const timers = new Set<NodeJS.Timeout>();
  const sockets = new Set<Socket>();
  /** Commands that went by, as bytes of their own packet. */
  const kept: Buffer[] = [];
  let isHostile = false;
  let near: Socket | undefined;
  let far: Socket | undefined;
  let nextId = 40_000;

  const later = (ms: number, run: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  };
  /** To whoever is there by then. */
  const write = (way: 'up' | 'down', packet: Uint8Array): void => {
    const socket = way === 'up' ? far : near;
    if (socket?.writable) socket.write(packet);
  };
  const publish = (payload: Uint8Array): Buffer => {
    nextId = nextId === 60_000 ? 40_000 : nextId + 1;
    return mqttPacket.generate({
      ...{ cmd: 'publish', topic: commandTopic(terminal), payload: Buffer.from(payload) },
      ...{ qos: 1, messageId: nextId, dup: false, retain: false },
    });
  };
  const payloadOf = (packet: Buffer): Buffer => {
    const at = packet.indexOf(commandTopic(terminal)) + commandTopic(terminal).length;
    return packet.subarray(at + 2);
  };

  function tamper(packet: Buffer): void {
    const payload = payloadOf(packet);
    kept.push(Buffer.from(payload));
    if (kept.length > KEPT_MAX) kept.shift();
    const forged = Buffer.from(payload);
    const at = dice.pick(forged.length);
    forged[at] = (forged[at] ?? 0) ^ (1 << dice.pick(8));
    did('changed');
    write('down', publish(dice.pick(2) === 0 ? forged : dice.mutate(payload, kept)));
    // After its expiry, or long after it was done.
    later(dice.pick(LATE_MS_MAX), () => {
      did('late');
      write('down', publish(payload));
    });
  }

  function pass(way: 'up' | 'down', packet: Buffer): void {
    if (!isHostile || (packet[0] ?? 0) >> 4 !== PUBLISH) {
      write(way, packet);
      return;
    }
    if (way === 'down' && packet.includes(commandTopic(terminal))) tamper(packet);
    const fate = dice.pick(10);
    if (fate < 5) {
      did('passed');
      write(way, packet);
    } else if (fate === 5) did('dropped');
    else if (fate < 8) {
      did('delayed');
      later(dice.pick(DELAY_MS_MAX), () => write(way, packet));
    } else {
      did('repeated');
      write(way, packet);
      later(dice.pick(DELAY_MS_MAX), () => write(way, packet));
    }
  }

  const server = createServer((socket) => {
    const broker = connect(target, '127.0.0.1');
    [near, far] = [socket, broker];
    for (const [from, to, way] of [
      [socket, broker, 'up'],
      [broker, socket, 'down'],
    ] as const) {
      sockets.add(from);
      let rest: Buffer = Buffer.alloc(0);
      from.on('data', (chunk: Buffer) => {
        rest = Buffer.from(
          split(Buffer.concat([rest, chunk]), (packet) => pass(way, Buffer.from(packet))),
        );
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const inventing = setInterval(() => {
    if (!isHostile) return;
    did('invented');
    write('down', publish(invent()));
    if (kept.length > 0) write('down', publish(dice.of(kept)));
    if (dice.pick(25) > 0) return;
    did('cut');
    for (const socket of sockets) socket.destroy();
  }, 40);
  return {
    port: (server.address() as AddressInfo).port,
    deeds,
    be: (hostile: boolean): void => {
      isHostile = hostile;
    },
    /** A command of its own, now. */
    say: (payload: Uint8Array): void => write('down', publish(payload)),
    /** What it held back is gone, as on a line that breaks. */
    close: (): void => {
      clearInterval(inventing);
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
