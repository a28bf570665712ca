// A bad line between a till and its broker, as a TCP proxy: so many bits a second, some of the pieces held back, and
// cut every few seconds. It knows nothing of what passes.

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export type SlowLine = {
  readonly port: number;
  readonly cuts: () => number;
  readonly bytes: () => number;
  readonly close: () => void;
};
export type LineOptions = {
  readonly to: number;
  readonly bitsPerSecond: number;
  /** Of the pieces, so many are held back, for a time within. */
  readonly heldRatio: number;
  readonly heldMs: readonly [least: number, most: number];
  readonly cutEveryMs: number;
  readonly random: () => number;
};

/** A piece on the line; what a modem would send at once. */
const PIECE_BYTES = 4 * 1024;

export function openSlowLine(options: LineOptions): Promise<SlowLine> {
  const { to, bitsPerSecond, heldRatio, heldMs, cutEveryMs, random } = options;
  const open = new Set<Socket>();
  let cuts = 0;
  let bytes = 0;
  /** One direction: pieces in their order, each after its time on the line. */
  function carry(from: Socket, into: Socket): void {
    let freeAtMs = performance.now();
    from.on('data', (data) => {
      from.pause();
      let at = 0;
      const next = (): void => {
        if (at >= data.length) {
          from.resume();
          return;
        }
        const piece = data.subarray(at, at + PIECE_BYTES);
        at += piece.length;
        bytes += piece.length;
        const [least, most] = heldMs;
        const held = random() < heldRatio ? least + random() * (most - least) : 0;
        const now = performance.now();
        freeAtMs = Math.max(now, freeAtMs) + (piece.length * 8_000) / bitsPerSecond + held;
        setTimeout(() => {
          if (!into.destroyed) into.write(piece);
          next();
        }, freeAtMs - now);
      };
      next();
    });
    const end = (): void => {
      into.destroy();
      open.delete(from);
    };
    from.on('close', end);
    from.on('error', end);
  }
  const server = createServer((till) => {
    const broker = connect(to, '127.0.0.1');
    for (const socket of [till, broker]) open.add(socket.setNoDelay(true));
    carry(till, broker);
    carry(broker, till);
  });
  const cutter = setInterval(() => {
    if (open.size > 0) cuts += 1;
    for (const socket of open) socket.resetAndDestroy();
  }, cutEveryMs);
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      const close = (): void => {
        clearInterval(cutter);
        server.close();
        for (const socket of open) socket.destroy();
      };
      done({ port, cuts: () => cuts, bytes: () => bytes, close });
    });
  });
}
