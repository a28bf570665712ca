// The first word of a session is the broker's: an acknowledgement of nothing, with its time in it. A till whose
// clock is wrong and that has not met its broker since it booted seals nothing before that word, or its
// samples would carry its own time for ever. A broker that does not greet is not waited for long.

export const GREETING_MS_MAX = 3_000;
/** Connected for so long without a failure: the next backoff begins anew. */
const STEADY_MS = 30_000;

export class Greeting {
  #openedMs = 0;
  #upMs = 0;
  #heard = false;

  /** A new connection is tried. */
  opened(now: number): void {
    this.#openedMs = now;
    this.#heard = false;
  }

  up(now: number): void {
    this.#upMs = now;
  }

  wasSteady(now: number): boolean {
    return now - this.#upMs >= STEADY_MS;
  }

  /** An acknowledgement came. @returns how old it can be at most, where it is the session's first. */
  heard(now: number): number | undefined {
    const isFirst = !this.#heard;
    this.#heard = true;
    return isFirst ? now - this.#openedMs : undefined;
  }

  isAwaited(now: number): boolean {
    return !this.#heard && now - this.#upMs < GREETING_MS_MAX;
  }
}
