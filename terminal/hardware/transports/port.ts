// A port is one life of a connection to a device, over TCP or a serial line; after any error it is thrown
// away and another one is made (research/pos.md 0.3: a serial port that is opened again looks open and is
// dead; a stale socket answers with the same error for ever). Writing goes in small pieces, each with a
// time limit of our own, because neither kind of port has one and a device without flow control loses what
// comes too fast. A written byte is never a printed byte.

export type Opened =
  | { readonly ok: true; readonly port: Port }
  | { readonly ok: false; readonly fault: 'absent' | 'claimed'; readonly reason: string };

export type Port = {
  readonly open: boolean;
  /** Bytes that were not taken in time; the port is closed then. */
  readonly stuck: boolean;
  /** @returns whether the system took all bytes. False says nothing about what the device got. */
  readonly write: (bytes: Uint8Array) => Promise<boolean>;
  readonly close: () => void;
};
export type PortEvents = {
  readonly bytes: (bytes: Uint8Array) => void;
  /** Once, also after close(). */
  readonly closed: () => void;
};
export type Transport = {
  /** For logs: where the device is. */
  readonly place: string;
  /** @param attempt from 0; a serial line with several speeds tries the next one each time. */
  readonly open: (events: PortEvents, attempt: number) => Promise<Opened>;
};

/** What one write call of the system gets. */
const PIECE_BYTES = 1_024;
export const WRITE_MS = 5_000;

type Raw = {
  readonly isOpen: () => boolean;
  readonly write: (bytes: Uint8Array, done: (error?: Error | null) => void) => void;
  readonly destroy: () => void;
};

/** @returns a port whose writes are in order, in pieces and limited in time. */
export function makePort(raw: Raw, writeMs: number): Port {
  let stuck = false;
  let last: Promise<unknown> = Promise.resolve();
  const writePiece = (piece: Uint8Array): Promise<boolean> =>
    new Promise((done) => {
      const timer = setTimeout(() => {
        stuck = true;
        raw.destroy();
        done(false);
      }, writeMs);
      raw.write(piece, (error) => {
        clearTimeout(timer);
        done(!error);
      });
    });
  const writeAll = async (bytes: Uint8Array): Promise<boolean> => {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      if (!raw.isOpen()) return false;
      if (!(await writePiece(bytes.subarray(at, at + PIECE_BYTES)))) return false;
    }
    return raw.isOpen();
  };
  return {
    get open() {
      return raw.isOpen();
    },
    get stuck() {
      return stuck;
    },
    write: (bytes) => {
      // One after the other: a question inside a job would become part of the job.
      const written = last.then(() => writeAll(bytes));
      last = written;
      return written;
    },
    close: () => raw.destroy(),
  };
}
