// A scripted cashier: rings up one sale after the other at a till's own HTTP service, as a person at a
// screen would. When the till hangs or restarts the cashier tries again, each request under the same id,
// and checks that whatever was on the screen before is there again: a lost line is remembered as a fault.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const ANSWER_MS_MAX = 2_000;
const RETRY_MS = 150;
const PAUSE_MS = { min: 120, max: 500 };
const LINES = { min: 1, max: 4 };
/** What a sale sells before it has a price list (range 20: GS1 keeps it for use inside one company). */
const SKUS = ['2000000000015', '2000000000022', '2000000000039', '2000000000046'];

export type Basket = {
  readonly id: string;
  readonly state: string;
  readonly lines: readonly {
    readonly id?: string;
    readonly name: string;
    readonly quantity: number;
  }[];
  readonly totalMinor: number;
};

export type Cashier = {
  readonly sold: () => number;
  /** Sentences; none while nothing was lost. */
  readonly faults: () => readonly string[];
  /** Ends the sale at hand, opens a new basket with so many lines and leaves it open. */
  readonly openBasket: (lines: number) => Promise<Basket>;
  readonly basket: () => Promise<Basket>;
  /** Goes on: pays and completes what is open. */
  readonly goOn: () => void;
  readonly stop: () => Promise<void>;
};

type Answer = { readonly status: number; readonly body: unknown };

/** One request; undefined when the till does not answer (it is starting, hung, or was just killed). */
async function ask(
  portFile: string,
  method: string,
  path: string,
  body?: unknown,
  ending: AbortSignal = new AbortController().signal,
): Promise<Answer | undefined> {
  try {
    const { port } = JSON.parse(readFileSync(portFile, 'utf8')) as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      signal: AbortSignal.any([ending, AbortSignal.timeout(ANSWER_MS_MAX)]),
      // Kept connections would die with each restart of the till.
      headers: { connection: 'close', ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: await response.json() };
  } catch {
    return undefined;
  }
}

/** Sends one request to a till, for drills. */
export const askTill = ask;

class Till implements Cashier {
  readonly #name: string;
  readonly #portFile: string;
  readonly #faults: string[] = [];
  readonly #ended = new AbortController();
  readonly #work: Promise<void>;
  #sold = 0;
  #hold: { lines: number; opened: (basket: Basket) => void } | undefined;
  #goOn: (() => void) | undefined;

  constructor(name: string, portFile: string) {
    this.#name = name;
    this.#portFile = portFile;
    this.#work = this.#run().catch((error: unknown) => {
      if (!this.#ended.signal.aborted) this.#faults.push(`${name}: ${String(error)}`);
    });
  }

  sold = () => this.#sold;
  faults = () => this.#faults;
  goOn = () => this.#goOn?.();

  openBasket = (lines: number) =>
    new Promise<Basket>((opened) => {
      this.#hold = { lines, opened };
    });

  basket = async () => (await this.#until('GET', '/basket')).body as Basket;

  stop = async () => {
    this.#ended.abort();
    this.#goOn?.();
    await this.#work;
  };

  async #run(): Promise<void> {
    await this.#clear();
    while (!this.#ended.signal.aborted) {
      const hold = this.#hold;
      this.#hold = undefined;
      const count = hold?.lines ?? between(LINES.min, LINES.max);
      const basket = await this.#ring(count);
      if (hold !== undefined) {
        const going = new Promise<void>((go) => {
          this.#goOn = go;
        });
        hold.opened(basket);
        await going;
        this.#goOn = undefined;
        this.#compare(basket, await this.basket());
      }
      await this.#pay(basket);
      await this.#pause();
    }
  }

  /** What an earlier run left on the screen. */
  async #clear(): Promise<void> {
    const { state, id } = await this.basket();
    if (state === 'paid') await this.#until('POST', '/basket/complete', { basket: id });
    else if (state !== 'none') await this.#until('POST', '/basket/void', {});
  }

  async #ring(count: number): Promise<Basket> {
    let basket: Basket | undefined;
    for (let line = 0; line < count; line += 1) {
      const item = { id: randomUUID(), sku: SKUS[line % SKUS.length], quantity: between(1, 2) };
      const answer = await this.#until('POST', '/basket/items', item);
      if (answer.status !== 200) throw new Error(`an item was refused: ${detail(answer)}`);
      const after = answer.body as Basket;
      if (basket !== undefined) this.#compare(basket, after);
      basket = after;
      await this.#pause();
    }
    if (basket === undefined) throw new Error('a basket needs a line');
    return basket;
  }

  async #pay(basket: Basket): Promise<void> {
    // Cash a little too much, in whole euros: the till has to give change.
    const cash = Math.ceil(basket.totalMinor / 100) * 100;
    const paid = await this.#until('POST', '/basket/tender', { kind: 'cash', amountMinor: cash });
    if (paid.status !== 200) throw new Error(`a payment was refused: ${detail(paid)}`);
    const sale = await this.#until('POST', '/basket/complete', { basket: basket.id });
    if (sale.status !== 200) throw new Error(`a sale was not completed: ${detail(sale)}`);
    const { totalMinor, lines } = sale.body as Basket;
    if (totalMinor !== basket.totalMinor || lines.length !== basket.lines.length) {
      this.#faults.push(`${this.#name}: a sale was not completed as it was rung up`);
    }
    this.#sold += 1;
  }

  /** Everything that was on the screen must still be there, and in the same basket. */
  #compare(before: Basket, after: Basket): void {
    const there = new Set(after.lines?.map(({ id }) => id));
    const lost = before.lines.filter(({ id }) => !there.has(id));
    if (after.id === before.id && lost.length === 0) return;
    this.#faults.push(`${this.#name}: basket ${before.id} lost ${lost.length} of its lines`);
  }

  /** Asks again and again: 503 and silence mean "not now". */
  async #until(method: string, path: string, body?: unknown): Promise<Answer> {
    for (;;) {
      this.#ended.signal.throwIfAborted();
      const answer = await ask(this.#portFile, method, path, body, this.#ended.signal);
      if (answer !== undefined && answer.status < 500) return answer;
      await this.#sleep(RETRY_MS);
    }
  }

  #pause = () => this.#sleep(between(PAUSE_MS.min, PAUSE_MS.max));
  #sleep = (ms: number) => sleep(ms, undefined, { signal: this.#ended.signal });
}

const between = (min: number, max: number): number =>
  min + Math.floor(Math.random() * (max - min + 1));

const detail = ({ body }: Answer): string =>
  String((body as { detail?: unknown } | undefined)?.detail ?? 'no reason given');

/** @param portFile where the till's sale component writes its port */
export const startCashier = (name: string, portFile: string): Cashier => new Till(name, portFile);
