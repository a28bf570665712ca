// A receipt printer to test against: understands ESC/POS as far as hosts use it, keeps the last receipts as
// text, and can be out of paper, open, jammed, hot, silent, hung in the middle of an image or gone. Status
// questions are answered at once, everything else waits its turn, as in a real printer (research/pos.md
// 1.2); that difference is what a host's fence rests on. Several hosts may share it: each has its own job
// and its own answers, and what was sent before a connection broke is still printed.

import { Emulator, type Send, type Session } from './emulator.ts';
import { commandBytes, realTimeBytes } from './escpos-commands.ts';

const RECEIPTS_MAX = 50;
const BUFFER_BYTES_MAX = 256 * 1024;
/** Less than the 8192 NUL bytes with which hosts flush a printer that knows no better. */
const WEDGE_BYTES = 6_000;

export const PAPER = ['full', 'near_end', 'end'] as const;
export type Paper = (typeof PAPER)[number];
/** jammed: DLE ENQ 2 frees it. broken: nothing does. */
export const CUTTERS = ['ok', 'jammed', 'broken'] as const;
export type Cutter = (typeof CUTTERS)[number];

type Host = {
  readonly send: Send;
  /** What waits to be printed. */
  buffer: number[];
  /** The beginning of a real-time command that came in pieces. */
  realTime: number[];
  text: string;
  automatic: boolean;
  gone: boolean;
};

export type PrinterOptions = {
  /** Knows DLE DC4 fn 8; older ones do not. */
  readonly clears?: boolean;
  readonly maker?: string;
  readonly model?: string;
  readonly firmware?: string;
};

export class PrinterEmulator extends Emulator {
  /** Finished receipts, oldest first. */
  readonly receipts: string[] = [];
  /** How many receipts were ever cut. */
  cuts = 0;
  /** How often the drawer was told to open. */
  kicks = 0;
  readonly #options: Required<PrinterOptions>;
  readonly #hosts = new Set<Host>();
  #paper: Paper = 'full';
  #coverOpen = false;
  #cutter: Cutter = 'ok';
  #isHot = false;
  #isSilent = false;
  #drawerOpen = false;
  #drawerStuck = false;
  #swallow = 0;
  #linesLeft = Number.POSITIVE_INFINITY;

  constructor(options: PrinterOptions = {}) {
    super();
    this.#options = {
      clears: true,
      maker: 'EPSON',
      model: 'TM-T88V',
      firmware: '1.04 ESC/POS',
      ...options,
    };
  }

  state() {
    return {
      paper: this.#paper,
      cover: this.#coverOpen ? 'open' : 'closed',
      cutter: this.#cutter,
      drawer: this.#drawerOpen ? 'open' : 'closed',
      wedged: this.#swallow > 0,
      receipts: this.cuts,
    } as const;
  }

  setPaper(paper: Paper): void {
    this.#paper = paper;
    if (paper !== 'end') this.#linesLeft = Number.POSITIVE_INFINITY;
    this.#changed();
  }

  /** The paper ends in the middle of a receipt. */
  endPaperAfter(lines: number): void {
    this.#linesLeft = lines;
  }

  setCover(state: 'open' | 'closed'): void {
    this.#coverOpen = state === 'open';
    this.#changed();
  }

  setCutter(state: Cutter): void {
    this.#cutter = state;
    this.#changed();
  }

  /** Too hot: stops until it has cooled down. */
  setHot(isHot: boolean): void {
    this.#isHot = isHot;
    this.#changed();
  }

  /** The plug's pin 3 is high while it is open. */
  setDrawer(state: 'open' | 'closed'): void {
    this.#drawerOpen = state === 'open';
    this.#changed();
  }

  setDrawerStuck(isStuck: boolean): void {
    this.#drawerStuck = isStuck;
  }

  /** Reads everything and answers nothing, like a printer whose firmware hangs. */
  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent;
    this.#work();
  }

  /** Waits for the rest of an image and swallows what comes; it still says that it is well. */
  wedge(bytes = WEDGE_BYTES): void {
    this.#swallow = bytes;
  }

  protected connect(send: Send): Session {
    const host: Host = {
      ...{ buffer: [], realTime: [], text: '', automatic: false, gone: false },
      send,
    };
    this.#hosts.add(host);
    return {
      receive: (bytes) => {
        for (const byte of bytes) this.#receive(host, byte);
        this.#work();
      },
      end: () => {
        host.gone = true;
        this.#work();
      },
    };
  }

  #receive(host: Host, byte: number): void {
    host.realTime.push(byte);
    const bytes = realTimeBytes(host.realTime);
    if (bytes > host.realTime.length) return;
    const taken = host.realTime;
    host.realTime = [];
    if (bytes > 0) this.#atOnce(host, taken);
    else if (this.#swallow > 0) this.#swallow = Math.max(0, this.#swallow - taken.length);
    // A full buffer loses what comes, as it does in a printer without flow control.
    else if (host.buffer.length < BUFFER_BYTES_MAX) host.buffer.push(...taken);
  }

  #atOnce(host: Host, [, command, n, pin]: readonly number[]): void {
    if (command === 0x04) this.#send(host, [this.#status(n ?? 0)]);
    else if (command === 0x05 && n === 2 && this.#cutter === 'jammed') {
      this.#clear();
      this.setCutter('ok');
    } else if (command === 0x14 && n === 1 && pin !== undefined) this.#kick();
    else if (command === 0x14 && n === 8 && this.#options.clears) {
      this.#clear();
      this.#send(host, [0x37, 0x25, 0x00]);
    }
  }

  #clear(): void {
    this.#swallow = 0;
    for (const host of this.#hosts) {
      host.buffer = [];
      host.text = '';
    }
  }

  #kick(): void {
    this.kicks += 1;
    if (!this.#drawerStuck) this.setDrawer('open');
  }

  get #isStopped(): boolean {
    return this.#coverOpen || this.#paper === 'end' || this.#cutter !== 'ok' || this.#isHot;
  }

  #status(n: number): number {
    const failed = this.#cutter !== 'ok' || this.#isHot;
    const cutter = { ok: 0, jammed: 0x08, broken: 0x28 }[this.#cutter];
    if (n === 1) return 0x12 | (this.#drawerOpen ? 0x04 : 0) | (this.#isStopped ? 0x08 : 0);
    if (n === 2) {
      const ended = this.#paper === 'end' ? 0x20 : 0;
      return 0x12 | (this.#coverOpen ? 0x04 : 0) | ended | (failed ? 0x40 : 0);
    }
    if (n === 3) return 0x12 | cutter | (this.#isHot ? 0x40 : 0);
    return 0x12 | (n === 4 ? { full: 0, near_end: 0x0c, end: 0x6c }[this.#paper] : 0);
  }

  #automaticStatus(): number[] {
    const one = 0x10 | (this.#drawerOpen ? 0x04 : 0) | (this.#isStopped ? 0x08 : 0);
    const two = { ok: 0, jammed: 0x08, broken: 0x28 }[this.#cutter] | (this.#isHot ? 0x40 : 0);
    const three = { full: 0, near_end: 0x03, end: 0x0f }[this.#paper];
    return [one | (this.#coverOpen ? 0x20 : 0), two, three, 0x0f];
  }

  #changed(): void {
    for (const host of this.#hosts) if (host.automatic) this.#send(host, this.#automaticStatus());
    this.#work();
  }

  #send(host: Host, bytes: readonly number[]): void {
    if (!this.#isSilent && !host.gone) host.send(Uint8Array.from(bytes));
  }

  /** Works through what was sent until it is empty, incomplete, or the printer cannot go on. */
  #work(): void {
    for (const host of this.#hosts) {
      let isWhole = true;
      while (isWhole && host.buffer.length > 0 && !this.#isSilent && !this.#isStopped) {
        const bytes = commandBytes(host.buffer);
        isWhole = bytes <= host.buffer.length;
        if (isWhole) this.#run(host, host.buffer.splice(0, bytes));
        // The host went in the middle of an image: whoever comes next has it completed.
        else if (host.gone) this.#swallow = bytes - host.buffer.length;
      }
      if (host.gone && (host.buffer.length === 0 || !isWhole)) this.#hosts.delete(host);
    }
  }

  #run(host: Host, command: readonly number[]): void {
    const [first = 0, second = 0, third = 0] = command;
    if (command.length === 1) {
      if (first === 0x0a || first === 0x0c) this.#newLine(host);
      else if (first >= 0x20) host.text += String.fromCharCode(first);
      return;
    }
    const name = String.fromCharCode(second);
    if (first === 0x1b && name === '@') host.text = '';
    else if (first === 0x1b && name === 'p') this.#kick();
    else if (first === 0x1d) this.#runGs(host, name, third, command);
  }

  #runGs(host: Host, name: string, n: number, command: readonly number[]): void {
    const { maker, model, firmware } = this.#options;
    const text = (value: string): number[] => [0x5f, ...Buffer.from(value, 'latin1'), 0];
    if (name === 'V') this.#cut(host);
    else if (name === 'a') {
      host.automatic = n !== 0;
      if (host.automatic) this.#send(host, this.#automaticStatus());
      // These come up only now, behind everything that was sent before them.
    } else if (name === 'r') {
      const isDrawer = n === 2 || n === 50;
      this.#send(host, [isDrawer ? Number(this.#drawerOpen) : this.#paper === 'near_end' ? 3 : 0]);
    } else if (name === '(' && n === 0x48 && command.length === 11) {
      this.#send(host, [0x37, 0x22, ...command.slice(7), 0]);
    } else if (name === 'I' && n === 0x41) this.#send(host, text(firmware));
    else if (name === 'I' && n === 0x42) this.#send(host, text(maker));
    else if (name === 'I' && n === 0x43) this.#send(host, text(model));
  }

  #newLine(host: Host): void {
    host.text += '\n';
    this.#linesLeft -= 1;
    if (this.#linesLeft <= 0) this.setPaper('end');
  }

  #cut(host: Host): void {
    this.receipts.push(host.text);
    if (this.receipts.length > RECEIPTS_MAX) this.receipts.shift();
    host.text = '';
    this.cuts += 1;
  }
}
