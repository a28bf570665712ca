// A receipt printer to test against: listens on TCP, understands the part of ESC/POS that the hardware
// component uses, keeps the last receipts as text, and can be told to be out of paper, open, silent or
// gone. Status requests are answered at once, everything else waits its turn in the buffer, as in a real
// printer (research/pos.md 1.2); that difference is what the component's fence rests on. Several tills may
// share it: each connection has its own job and its own answers, and what was sent before a connection
// broke is still printed.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

const RECEIPTS_MAX = 50;
const BUFFER_BYTES_MAX = 256 * 1024;
const CONNECTIONS_MAX = 8;

export type Paper = 'full' | 'near_end' | 'end';

type Session = {
  readonly socket: Socket;
  /** What waits to be printed. */
  buffer: number[];
  /** The beginning of a real-time command that came in pieces. */
  realTime: number[];
  text: string;
};

export class PrinterEmulator {
  readonly #server: Server;
  /** Finished receipts, oldest first. */
  readonly receipts: string[] = [];
  /** How many receipts were ever cut. */
  cuts = 0;
  readonly #sessions = new Set<Session>();
  #paper: Paper = 'full';
  #coverOpen = false;
  #silent = false;
  #linesLeft = Number.POSITIVE_INFINITY;

  constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @returns the port; 0 asks for any free one. */
  listen(port = 0, host = '127.0.0.1'): Promise<number> {
    return new Promise((done, refuse) => {
      this.#server.once('error', refuse);
      this.#server.listen(port, host, () => done((this.#server.address() as AddressInfo).port));
    });
  }

  setPaper(paper: Paper): void {
    this.#paper = paper;
    if (paper !== 'end') this.#linesLeft = Number.POSITIVE_INFINITY;
    this.#work();
  }

  /** The paper ends in the middle of a receipt. */
  endPaperAfter(lines: number): void {
    this.#linesLeft = lines;
  }

  setCover(state: 'open' | 'closed'): void {
    this.#coverOpen = state === 'open';
    this.#work();
  }

  /** Reads everything and answers nothing, like a printer whose firmware hangs. */
  setSilent(silent: boolean): void {
    this.#silent = silent;
    this.#work();
  }

  /** The cable is pulled; it may be plugged in again at once. */
  dropConnections(): void {
    for (const { socket } of this.#sessions) socket.destroy();
  }

  close(): Promise<void> {
    this.dropConnections();
    return new Promise((done) => {
      this.#server.close(() => done());
    });
  }

  #accept(socket: Socket): void {
    const session: Session = { socket, buffer: [], realTime: [], text: '' };
    this.#sessions.add(session);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#work());
    socket.on('data', (chunk) => {
      for (const byte of chunk) this.#receive(session, byte);
      this.#work();
    });
  }

  /** DLE EOT n is taken out of the stream and answered, whatever state the printer is in. */
  #receive(session: Session, byte: number): void {
    const pending = [...session.realTime, byte];
    session.realTime = [];
    const begun = pending.length === 1 ? byte === 0x10 : pending.length === 2 && byte === 0x04;
    if (begun) session.realTime = pending;
    else if (pending.length === 3) this.#send(session, this.#status(byte));
    // A full buffer loses what comes, as it does in a printer without flow control.
    else if (session.buffer.length < BUFFER_BYTES_MAX) session.buffer.push(...pending);
  }

  #status(n: number): number {
    const stopped = this.#coverOpen || this.#paper === 'end';
    const paper = { full: 0, near_end: 0x0c, end: 0x6c }[this.#paper];
    if (n === 1) return 0x12 | (stopped ? 0x08 : 0);
    if (n === 2) return 0x12 | (this.#coverOpen ? 0x04 : 0) | (this.#paper === 'end' ? 0x20 : 0);
    return 0x12 | (n === 4 ? paper : 0);
  }

  #send(session: Session, byte: number): void {
    if (!this.#silent && session.socket.writable) session.socket.write(Buffer.from([byte]));
  }

  /** Works through what was sent until it is empty, incomplete, or the printer cannot go on. */
  #work(): void {
    for (const session of this.#sessions) {
      let used = 1;
      while (used > 0 && !this.#silent && !this.#coverOpen && this.#paper !== 'end') {
        used = this.#step(session);
        session.buffer = session.buffer.slice(used);
      }
      const over = used === 0 || session.buffer.length === 0;
      if (over && session.socket.destroyed) this.#sessions.delete(session);
    }
  }

  /** @returns how many bytes the first command has; 0 when it is not whole yet. */
  #step(session: Session): number {
    const [first, second, third] = session.buffer;
    if (first === undefined) return 0;
    if (first === 0x1b || first === 0x1d) {
      if (second === undefined) return 0;
      if (first === 0x1b && second === 0x40) {
        session.text = '';
        return 2;
      }
      if (third === undefined) return 0;
      if (first === 0x1d && second === 0x56) return this.#cut(session, third);
      // GS r: comes up only now, behind everything that was sent before it.
      const isFence = first === 0x1d && second === 0x72;
      if (isFence) this.#send(session, this.#paper === 'near_end' ? 0x03 : 0x00);
      return 3;
    }
    if (first === 0x0a) this.#newLine(session);
    else if (first >= 0x20) session.text += String.fromCharCode(first);
    return 1;
  }

  #newLine(session: Session): void {
    session.text += '\n';
    this.#linesLeft -= 1;
    if (this.#linesLeft <= 0) this.#paper = 'end';
  }

  /** GS V 65 and 66 feed first and have one byte more. */
  #cut(session: Session, mode: number): number {
    const bytes = mode === 65 || mode === 66 ? 4 : 3;
    if (session.buffer.length < bytes) return 0;
    this.receipts.push(session.text);
    if (this.receipts.length > RECEIPTS_MAX) this.receipts.shift();
    session.text = '';
    this.cuts += 1;
    return bytes;
  }
}
