// Stands between a listening port and the TLS servers behind it. A stranger's socket is read here, by hand and into
// a bounded buffer, until its ClientHello is whole; only then is it known which server it wants, and only then
// does it cost a handshake. Limits are judged here (waiting.ts), because OpenSSL has none and Node one time-out
// only. The port stays the server's own, with all that its library does at listening and closing: the gate takes the
// place of the listener that would begin a handshake, and calls it later.

import type { Server as NetServer, Socket } from 'node:net';
import type { TLSSocket, Server as TlsServer } from 'node:tls';
import type { RefusedReason } from '../ports.ts';
import { type ClientHello, readClientHello } from './client-hello.ts';
import { createWaiting, type GateOptions } from './waiting.ts';

/** A TLS server that sockets are handed to. */
export type Room = {
  /** What `open` gave for it. */
  readonly begin: (socket: Socket) => void;
  /** Why not one more of this address now; asked before anything is spent on it. */
  readonly refuses?: (address: string) => RefusedReason | undefined;
};
export type Choose = (hello: ClientHello) => Room;

export type Gate = {
  /**
   * Watches the handshakes of a TLS server, once each, and takes its port from it: from now on a handshake
   * begins with what is returned, whether the server listens itself or not.
   */
  readonly open: (server: TlsServer) => Room['begin'];
  /** Takes what comes to a port; `choose` says whom a hello is for. */
  readonly guard: (port: NetServer, choose: Choose) => void;
  /** Sockets that have not finished theirs. */
  readonly handshakes: () => number;
  /** At most so many; a port has to have room for them beside who is in. */
  readonly handshakesMax: number;
  /** Counts and tells one that was refused behind its handshake. */
  readonly refuse: (address: string, reason: RefusedReason, sentence: string) => void;
  /** Ends them, and lets nobody else begin. */
  readonly stop: () => void;
};

/** The same for a socket and for the TLS socket around it, while it is open. */
const nameOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;

/** Reads until a hello is whole, and puts nothing back. */
function readHello(
  socket: Socket,
  onHello: (hello: ClientHello, said: Buffer) => void,
  onWrong: (sentence: string) => void,
): void {
  let said: Buffer = Buffer.alloc(0);
  // The reader never asks for more than PEEK_BYTES_MAX.
  let wanted = 0;
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    said = said.length === 0 ? chunk : Buffer.concat([said, chunk]);
    if (said.length < wanted) return;
    const step = readClientHello(said);
    if (step.kind === 'more') {
      wanted = step.bytes;
      return;
    }
    socket.removeListener('readable', onReadable);
    if (step.kind === 'hello') onHello(step.hello, said);
    else onWrong(step.sentence);
  };
  socket.on('readable', onReadable);
}

export function createGate(options: GateOptions): Gate {
  const waiting = createWaiting(options);

  function take(socket: Socket, choose: Choose): void {
    const address = socket.remoteAddress;
    // An error is followed by its close, and that is what counts.
    socket.on('error', () => {});
    if (address === undefined) {
      socket.destroy();
      return;
    }
    const name = nameOf(socket);
    if (!waiting.enter(socket, name, address)) return;
    const onHello = (hello: ClientHello, said: Buffer): void => {
      const room = choose(hello);
      const why = hello.speaksTls13 ? room.refuses?.(address) : 'handshake';
      if (why !== undefined) {
        const sentence = hello.speaksTls13 ? 'there is no room for it' : 'it speaks no TLS 1.3';
        waiting.end(name, why, sentence);
        return;
      }
      waiting.begin(name);
      socket.unshift(said);
      room.begin(socket);
    };
    readHello(socket, onHello, (sentence) => waiting.end(name, 'handshake', sentence));
  }

  return {
    open: (server) => {
      const begins = server.listeners('connection');
      server.removeAllListeners('connection');
      // Before anybody else, who may close it: then it has no name any more.
      const leave = (socket: TLSSocket): void => void waiting.leave(nameOf(socket));
      server.prependListener('secureConnection', leave);
      server.on('tlsClientError', (error: Error, socket: TLSSocket) =>
        waiting.failed(nameOf(socket), error.message),
      );
      return (socket) => {
        for (const begin of begins) begin.call(server, socket);
      };
    },
    guard: (port, choose) => void port.on('connection', (socket) => take(socket, choose)),
    handshakes: waiting.size,
    handshakesMax: options.limits.handshakes,
    refuse: waiting.refuse,
    stop: waiting.stop,
  };
}
