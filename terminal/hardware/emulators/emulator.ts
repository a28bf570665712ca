// The part that all pretend devices share: a TCP port that hosts connect to, and what goes wrong with any
// device's connection: it drops off and comes back, it breaks, it is not read any more, or the host speaks
// at another speed. Over TCP it is complete in itself; a pseudo-terminal (pty.ts) is put in front of it
// where a test wants a serial line.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

const CONNECTIONS_MAX = 8;

/** One host that is connected. */
export type Session = {
  readonly receive: (bytes: Uint8Array) => void;
  readonly end: () => void;
};
export type Send = (bytes: Uint8Array) => void;
/** The speed that the host has set, and the one that the device has. */
export type Speed = { readonly expected: number; readonly read: () => Promise<number> };

/** What a byte looks like at another speed: never one that means something to a host. */
const scramble = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => 0x80 | (byte ^ 0x55));

export abstract class Emulator {
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  #address: { port: number; host: string } = { port: 0, host: '127.0.0.1' };
  #isHung = false;
  #speed: Speed | undefined;

  /** A host connected; `send` answers it. */
  protected abstract connect(send: Send): Session;

  /** @returns the port; 0 asks for any free one. */
  async listen(port = 0, host = '127.0.0.1'): Promise<number> {
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((done, refuse) => {
      server.once('error', refuse);
      server.listen(port, host, done);
    });
    this.#server = server;
    this.#address = { port: (server.address() as AddressInfo).port, host };
    return this.#address.port;
  }

  /** Hosts that are connected now. */
  get hosts(): number {
    return this.#sockets.size;
  }

  /** The cable is pulled; it may be plugged in again at once. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Switched off or carried away: nothing answers until `comeBack`. */
  async drop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.dropConnections();
    await new Promise<void>((done) => {
      if (server === undefined) done();
      else server.close(() => done());
    });
  }

  /** At the same place as before. */
  async comeBack(): Promise<void> {
    if (this.#server === undefined) await this.listen(this.#address.port, this.#address.host);
  }

  /** Takes no byte any more, so that the host's writes hang once the buffers between are full. */
  setHung(isHung: boolean): void {
    this.#isHung = isHung;
    for (const socket of this.#sockets) {
      if (isHung) socket.pause();
      else socket.resume();
    }
  }

  /** From now on the device understands only hosts of its own speed. */
  setSpeed(speed: Speed | undefined): void {
    this.#speed = speed;
  }

  close(): Promise<void> {
    return this.drop();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let last: Promise<unknown> = Promise.resolve();
    const inOrder = (work: (isWrong: boolean) => void): void => {
      const speed = this.#speed;
      if (speed === undefined) work(false);
      else last = last.then(async () => work((await speed.read()) !== speed.expected));
    };
    const write = (bytes: Uint8Array): void => {
      if (socket.writable) socket.write(bytes);
    };
    const session = this.connect((bytes) =>
      inOrder((isWrong) => write(isWrong ? scramble(bytes) : bytes)),
    );
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      session.end();
    });
    socket.on('data', (bytes) =>
      inOrder((isWrong) => {
        if (isWrong) write(scramble(bytes.subarray(0, 4)));
        else session.receive(bytes);
      }),
    );
    if (this.#isHung) socket.pause();
  }
}
