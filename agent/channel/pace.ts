// How fast may be spoken on the channel. Measured by component and not by connection, because whoever connects again
// after each word would else have a new measure each time and take the agent a whole core; and connections have a
// measure too, which is the same for all, as nobody has said yet who it is.

/** A component beats twice a second; more than this in a second waits in the socket. */
export const LINES_PER_SECOND_MAX = 500;
/** A few percent of a core; the next wait a second unread. Fewer, and a crowd would keep the others waiting too. */
const CONNECTIONS_PER_SECOND_MAX = 1_000;

export class Pace {
  readonly #lines = new Map<string, number>();
  #connections = 0;

  /** @returns whether this connection may be read at once. */
  enter(): boolean {
    this.#connections += 1;
    return this.#connections <= CONNECTIONS_PER_SECOND_MAX;
  }

  /** @returns whether one more line is within measure. */
  speak(who: string): boolean {
    const lines = (this.#lines.get(who) ?? 0) + 1;
    this.#lines.set(who, lines);
    return lines <= LINES_PER_SECOND_MAX;
  }

  hasSpoken(who: string): boolean {
    return (this.#lines.get(who) ?? 0) > LINES_PER_SECOND_MAX;
  }

  /** Once a second. */
  refill(): void {
    this.#lines.clear();
    this.#connections = 0;
  }
}
