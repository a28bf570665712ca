// A receipt printer by ESC/POS: how it is (DLE EOT 1 to 4, and automatic status between them), how it is
// freed when it hangs, and its cash drawer. It believes the printer's word only: "sent" is not "printed".
// After each new connection a fence is sent through the buffer, so that a printer that waits for the rest of
// somebody's image is found before a receipt disappears in it.

import type { Count, Driver, Tools, Work } from '../device/device.ts';
import type { Look } from '../device/machine.ts';
import * as bytes from '../escpos.ts';
import type { PrintQueue } from '../queue.ts';
import { createReader, type Message, type Talk } from './escpos-reader.ts';
import { Printing } from './printing.ts';

export type PrinterSettings = {
  /** How long a status question may take. */
  readonly statusMs?: number;
  /** How long a printer that says that it is well may take for what it was sent. */
  readonly fenceMs?: number;
  /** `named`: GS ( H, whose answer cannot be taken for an older one; not every printer knows it. */
  readonly fence?: 'plain' | 'named';
};
export type Paper = 'ok' | 'near_end' | 'end';
/** What the printer last said; undefined: not heard yet. */
export type PrinterFacts = {
  readonly paper: Paper | undefined;
  readonly coverOpen: boolean | undefined;
  /** Pin 3 of the drawer's plug. What it means is a matter of wiring. */
  readonly drawerHigh: boolean | undefined;
};
/** Told once a connection, by printers that know the question. */
export type PrinterIdentity = { readonly firmware?: string; readonly model?: string };

const STATUS_MS = 1_000;
const FENCE_MS = 10_000;
const IDLE_POLL_MS = 2_000;
/** The cutter moves home. */
const RECOVER_MS = 500;

export class PrinterDriver implements Driver<Message> {
  readonly class = 'POSPrinter';
  readonly idlePollMs = IDLE_POLL_MS;
  readonly #printing: Printing;
  readonly #statusMs: number;
  readonly #fenceMs: number;
  #facts: PrinterFacts = { paper: undefined, coverOpen: undefined, drawerHigh: undefined };
  #talk: Talk | undefined;
  #garbage = 0;
  /** It may hold half a command of somebody's. */
  #suspect = true;
  /** What DLE ENQ 2 was tried for; once for each time that it happens. */
  #recovered: bytes.Failure;
  #said: bytes.Failure;
  #dropped = false;
  #onChange: () => void = () => undefined;
  #coverOpens = 0;
  #identity: PrinterIdentity = {};
  /** What it was asked for and has not answered. */
  #asking: keyof PrinterIdentity | undefined;
  #introduced = false;

  constructor(queue: PrintQueue, now: () => number, settings: PrinterSettings = {}) {
    this.#statusMs = settings.statusMs ?? STATUS_MS;
    this.#fenceMs = settings.fenceMs ?? FENCE_MS;
    this.#printing = new Printing({
      queue,
      now,
      fenceMs: this.#fenceMs,
      named: settings.fence === 'named',
      ask: (talk, tools) => this.#ask(talk, tools.count),
      dropped: () => {
        const dropped = this.#dropped;
        this.#dropped = false;
        return dropped;
      },
      suspect: () => {
        this.#suspect = true;
      },
    });
  }

  facts = (): PrinterFacts => this.#facts;
  identity = (): PrinterIdentity => this.#identity;
  results = (): ReadonlyMap<string, number> => this.#printing.results;
  /** The printer speaks up by itself: somebody should look. */
  onChange = (listener: () => void): void => {
    this.#onChange = listener;
  };
  /** @returns false when there is no connection or it does not take bytes. */
  send = (command: Uint8Array): Promise<boolean> =>
    this.#talk?.write(command) ?? Promise.resolve(false);

  reader = createReader;

  heard = (message: Message): void => {
    if (message.kind === 'garbage') this.#garbage += 1;
    if (message.kind === 'block') this.#introduce(bytes.infoOf(message.bytes));
    if (message.kind !== 'automatic') return;
    const [one, two, three] = message.bytes;
    this.#said = bytes.failureOf(two);
    this.#learn({
      drawerHigh: (one & 0x04) !== 0,
      coverOpen: (one & 0x20) !== 0,
      paper: (three & 0x0c) !== 0 ? 'end' : (three & 0x03) !== 0 ? 'near_end' : 'ok',
    });
    this.#onChange();
  };

  attached = async (talk: Talk): Promise<void> => {
    this.#talk = talk;
    this.#suspect = true;
    this.#introduced = false;
    this.#asking = undefined;
    await talk.write(bytes.AUTOMATIC_STATUS);
  };

  tick = async (talk: Talk | undefined): Promise<void> => {
    this.#talk = talk;
    const isStale = this.#printing.tick();
    if (!isStale || talk === undefined) return;
    // What is left of a job whose time is over must not come out of a refilled printer.
    await this.clear(talk);
    this.#printing.cleared();
  };

  look = async (talk: Talk, tools: Tools): Promise<Look> => {
    const look = await this.#ask(talk, tools.count);
    if (look.kind !== 'well' || !this.#suspect) return look;
    const fence = talk.ask(bytes.FENCE, ({ kind }) => kind === 'fence', this.#fenceMs);
    if ((await fence) !== undefined) {
      this.#suspect = false;
      await this.#askWho(talk);
      return look;
    }
    const again = await this.#ask(talk, tools.count);
    if (again.kind !== 'well') return again;
    return { kind: 'probe', fault: 'wedged', detail: 'it takes jobs and does nothing with them' };
  };

  clear = async (talk: Talk): Promise<void> => {
    const cleared = await talk.ask(
      bytes.CLEAR,
      (message) => message.kind === 'block' && bytes.isCleared(message.bytes),
      this.#statusMs,
    );
    if (cleared === undefined) await talk.write(bytes.FLUSH);
    // ESC @ alone leaves the buffer as it is (research/pos.md 0.5).
    await talk.write(Buffer.concat([bytes.INIT, bytes.AUTOMATIC_STATUS]));
    this.#suspect = true;
  };

  work = (talk: Talk, tools: Tools, blindly: boolean): Promise<Work> =>
    this.#printing.next(talk, tools, blindly);

  /** Not waited for: a printer that does not know the question says nothing. */
  async #askWho(talk: Talk): Promise<void> {
    if (this.#introduced) return;
    this.#introduced = true;
    this.#asking = 'firmware';
    await talk.write(bytes.askInfo('firmware'));
  }

  /** Both answers look alike: the second question waits for the first answer. */
  #introduce(answer: string | undefined): void {
    const asking = this.#asking;
    if (answer === undefined || asking === undefined) return;
    this.#identity = { ...this.#identity, [asking]: answer };
    this.#asking = asking === 'firmware' ? 'model' : undefined;
    if (this.#asking !== undefined) void this.#talk?.write(bytes.askInfo(this.#asking));
  }

  #learn(facts: Partial<PrinterFacts>): void {
    if (facts.coverOpen === true && this.#facts.coverOpen !== true) this.#coverOpens += 1;
    this.#facts = { ...this.#facts, ...facts };
  }

  async #status(talk: Talk, n: 1 | 2 | 3 | 4): Promise<number | undefined> {
    const isStatus = ({ kind }: Message): boolean => kind === 'status';
    const answer = await talk.ask(bytes.askStatus(n), isStatus, this.#statusMs);
    return answer?.kind === 'status' ? answer.byte : undefined;
  }

  async #ask(talk: Talk, count: Count): Promise<Look> {
    this.#garbage = 0;
    const status = await this.#readAll(talk);
    const code = bytes.troubleOf(status);
    if (code === 'E_TIMEOUT') {
      if (talk.stuck) return { kind: 'probe', fault: 'stuck' };
      return { kind: 'probe', fault: this.#garbage > 0 ? 'garbage' : 'silent' };
    }
    const { paper = 0, offline = 0, printer = 0 } = status;
    const ended = (paper & 0x60) !== 0 || (offline & 0x20) !== 0;
    const coverOpen = (offline & 0x04) !== 0;
    this.#learn({
      drawerHigh: (printer & 0x04) !== 0,
      coverOpen,
      paper: ended ? 'end' : (paper & 0x0c) !== 0 ? 'near_end' : 'ok',
    });
    if (this.#coverOpens > 0) count('ReceiptCoverOpenCount', this.#coverOpens);
    this.#coverOpens = 0;
    if (code === 'E_FAILURE') return await this.#failed(talk, count);
    this.#recovered = undefined;
    return code === undefined ? { kind: 'well' } : { kind: 'device', code };
  }

  async #readAll(talk: Talk): Promise<bytes.StatusBytes> {
    // One after the other: the answers do not say which question they belong to.
    const printer = await this.#status(talk, 1);
    const offline = printer === undefined ? undefined : await this.#status(talk, 2);
    const paper = offline === undefined ? undefined : await this.#status(talk, 4);
    return { printer, offline, paper };
  }

  /** DLE ENQ 2 once for what may recover; then it is a matter for a human. */
  async #failed(talk: Talk, count: Count): Promise<Look> {
    const failure = bytes.failureOf(await this.#status(talk, 3)) ?? this.#said;
    const detail = failure === undefined ? {} : { detail: bytes.FAILURE_TEXTS[failure] };
    const look: Look = { kind: 'device', code: 'E_FAILURE', ...detail };
    if (this.#recovered === (failure ?? 'broken')) return look;
    this.#recovered = failure ?? 'broken';
    count('PrinterFaultCount');
    if (failure === 'hot') count('MaximumTempReachedCount');
    if (failure === 'cutter') count('FailedPaperCutCount');
    if (failure !== 'cutter' && failure !== 'mechanical') return look;
    await talk.write(bytes.RECOVER);
    await talk.wait(({ kind }) => kind === 'automatic', RECOVER_MS);
    const after = await this.#readAll(talk);
    const code = bytes.troubleOf(after);
    // What was in the buffer is gone: the fence says whether it prints again.
    this.#suspect = true;
    this.#dropped = code === undefined;
    return code === undefined ? { kind: 'well' } : look;
  }
}
