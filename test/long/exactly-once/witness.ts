// Who knows the truth: it plays the /metrics page of every till's component, gives each reading a number of
// its own and writes down when it gave it out, by a clock that nobody tampers with.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Index n - 1: when number n was given out. */
export type Given = number[];

/** What no compression makes smaller, so that a small ledger is full before a database is back. */
const NOISE_SERIES = 50;
const noise = (): string =>
  Array.from({ length: NOISE_SERIES }, (_, n) => `noise{n="${n}"} ${Math.random()}\n`).join('');

export class Witness {
  readonly #server: Server;
  readonly #given = new Map<string, Given>();
  #port = 0;
  #isQuiet = false;

  constructor() {
    this.#server = createServer((request, response) => {
      const given = this.given((request.url ?? '').slice(1));
      given.push(Date.now());
      response.end(
        `# TYPE taken_total counter\ntaken_total ${given.length}\n${this.#isQuiet ? '' : noise()}`,
      );
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  url(terminal: string): string {
    return `http://127.0.0.1:${this.#port}/${terminal}`;
  }

  /** Numbers only: a small ledger has room again for what was kept meanwhile. */
  quiet(): void {
    this.#isQuiet = true;
  }

  given(terminal: string): Given {
    const known = this.#given.get(terminal) ?? [];
    this.#given.set(terminal, known);
    return known;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
