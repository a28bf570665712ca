// Records of a live tail that wait for the line: so many bytes, and when there are more the oldest go, because whoever
// watches wants to see what happens now. In their place stands a record that says how many are missing.

export const RING_BYTES_MAX = 256 * 1024;

export type Waiting = {
  readonly component: string;
  readonly timeMs: number;
  /** As the answer has it, before the last look of the redactor. */
  readonly line: string;
};

export const leftOutText = (count: number): string =>
  `[tillwatch: ${count} records left out: the line is slower than the component]`;

export class Ring {
  readonly #bytesMax: number;
  #waiting: Waiting[] = [];
  /** Of the first that was not taken; those before it are gone. */
  #at = 0;
  #bytes = 0;
  /** Since one was taken: of what is missing before the first. */
  #left: { count: number; readonly component: string; readonly timeMs: number } | undefined;
  dropped = 0;

  constructor(bytesMax = RING_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#at >= this.#waiting.length && this.#left === undefined;
  }

  push(one: Waiting): void {
    this.#waiting.push(one);
    this.#bytes += one.line.length;
    while (this.#bytes > this.#bytesMax) this.#drop();
  }

  /** What is missing before the next record; told once. */
  takeLeft():
    | { readonly count: number; readonly component: string; readonly timeMs: number }
    | undefined {
    const left = this.#left;
    this.#left = undefined;
    return left;
  }

  peek(): Waiting | undefined {
    return this.#waiting[this.#at];
  }

  shift(): Waiting | undefined {
    const one = this.#waiting[this.#at];
    if (one === undefined) return undefined;
    this.#at += 1;
    this.#bytes -= one.line.length;
    // Moved only now and then: a shift of an array is as long as the array.
    if (this.#at * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#at);
      this.#at = 0;
    }
    return one;
  }

  #drop(): void {
    const gone = this.shift();
    if (gone === undefined) return;
    this.dropped += 1;
    const { component, timeMs } = gone;
    this.#left = { count: (this.#left?.count ?? 0) + 1, component, timeMs };
  }
}
