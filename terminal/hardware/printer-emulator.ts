// A receipt printer to test against: listens on TCP, understands the part of ESC/POS that the hardware
// component uses, keeps the last receipts as text, and can be told to be out of paper, open, silent or
// gone. Status requests are answered at once, everything else waits its turn in the buffer, as in a real
// printer (research/pos.md 1.2); that difference is what the component's fence rests on.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

const RECEIPTS_MAX = 50;
const BUFFER_BYTES_MAX = 256 * 1024;
const CONNECTIONS_MAX = 8;

export type Paper = 'full' | 'near_end' | 'end';

export class PrinterEmulator {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Finished receipts, oldest first. */
  readonly receipts: string[] = [];
  /** How many receipts were ever cut. */
  cuts = 0;
  #buffer: number[] = [];
  /** The beginning of a real-time command that came in pieces. */
  #realTime: number[] = [];
  #text = '';
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
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    this.dropConnections();
    return new Promise((done) => {
      this.#server.close(() => done());
    });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      for (const byte of chunk) this.#receive(byte);
      this.#work();
    });
  }

  /** DLE EOT n is taken out of the stream and answered, whatever state the printer is in. */
  #receive(byte: number): void {
    const pending = [...this.#realTime, byte];
    if (pending.length === 1 && byte === 0x10) this.#realTime = pending;
    else if (pending.length === 2 && byte === 0x04) this.#realTime = pending;
    else if (pending.length === 3) {
      this.#realTime = [];
      this.#send(this.#status(byte));
    } else {
      this.#realTime = [];
      // A full buffer loses what comes, as it does in a printer without flow control.
      if (this.#buffer.length < BUFFER_BYTES_MAX) this.#buffer.push(...pending);
    }
  }

  #status(n: number): number {
    const stopped = this.#coverOpen || this.#paper === 'end';
    const paper = { full: 0, near_end: 0x0c, end: 0x6c }[this.#paper];
    if (n === 1) return 0x12 | (stopped ? 0x08 : 0);
    if (n === 2) return 0x12 | (this.#coverOpen ? 0x04 : 0) | (this.#paper === 'end' ? 0x20 : 0);
    return 0x12 | (n === 4 ? paper : 0);
  }

  #send(byte: number): void {
    if (this.#silent) return;
    for (const socket of this.#sockets) socket.write(Buffer.from([byte]));
  }

  /** Works through the buffer until it is empty, incomplete, or the printer cannot go on. */
  #work(): void {
    while (!this.#silent && !this.#coverOpen && this.#paper !== 'end') {
      const used = this.#step(this.#buffer);
      if (used === 0) return;
      this.#buffer = this.#buffer.slice(used);
    }
  }

  /** @returns how many bytes the first command has; 0 when it is not whole yet. */
  #step(buffer: readonly number[]): number {
    const [first, second, third] = buffer;
    if (first === undefined) return 0;
    if (first === 0x1b || first === 0x1d) {
      if (second === undefined) return 0;
      if (first === 0x1b && second === 0x40) return this.#reset();
      if (third === undefined) return 0;
      if (first === 0x1d && second === 0x56) return this.#cut(buffer, third);
      // GS r: comes up only now, behind everything that was sent before it.
      if (first === 0x1d && second === 0x72) this.#send(this.#paper === 'near_end' ? 0x03 : 0x00);
      return 3;
    }
    if (first === 0x0a) this.#newLine();
    else if (first >= 0x20) this.#text += String.fromCharCode(first);
    return 1;
  }

  #reset(): number {
    this.#text = '';
    return 2;
  }

  #newLine(): void {
    this.#text += '\n';
    this.#linesLeft -= 1;
    if (this.#linesLeft <= 0) this.#paper = 'end';
  }

  /** GS V 65 and 66 feed first and have one byte more. */
  #cut(buffer: readonly number[], mode: number): number {
    const bytes = mode === 65 || mode === 66 ? 4 : 3;
    if (buffer.length < bytes) return 0;
    this.receipts.push(this.#text);
    if (this.receipts.length > RECEIPTS_MAX) this.receipts.shift();
    this.#text = '';
    this.cuts += 1;
    return bytes;
  }
}
