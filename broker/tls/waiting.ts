// Sockets in front of a TLS server that have not finished their handshake: who may come, how many there are, how
// long each has, and why one was refused. Everything remembered is bounded: addresses that came before by the rate
// limiter, the others by how many may wait. A socket that is refused is reset or destroyed, and nothing of it stays.

import type { Socket } from 'node:net';
import type { Cancel, Clock, Timers } from '../clock.ts';
import { createRateLimiter, type RateLimit } from '../mqtt/rate.ts';
import type { FrontMetrics, Log, OnRefused, RefusedReason } from '../ports.ts';
import { createTallies } from './tallies.ts';

export type GateLimits = {
  /** New connections of one address. */
  readonly connects: RateLimit;
  /** Sockets that have not finished their handshake: all together, and of one address. */
  readonly handshakes: number;
  readonly handshakesPerAddress: number;
  /** For the whole ClientHello, and from there until the handshake is over. */
  readonly helloMsMax: number;
  readonly handshakeMsMax: number;
};

export type GateOptions = {
  readonly limits: GateLimits;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly metrics: Pick<FrontMetrics, 'refused'>;
  readonly log: Log;
  readonly onRefused?: OnRefused | undefined;
};

/** A socket that has not finished its handshake. */
type One = {
  readonly address: string;
  readonly socket: Socket;
  /** What OpenSSL said, until the socket is closed and it is told. */
  sentence: string;
  cancel: Cancel;
};

const LEFT = 'it left in the middle of the handshake';
const NO_HELLO = 'its ClientHello did not come in time';
const NO_END = 'its handshake did not end in time';

/**
 * Where all places are taken, who said nothing for so long, or did not end its handshake within so long, goes for a new
 * one: an honest hello comes with the connection and the rest one round trip later, whatever the line.
 */
const SILENT_MS_MIN = 500;
const BEGUN_MS_MIN = 3_000;

/** Since when each waits, the oldest first: those that said no hello yet, and those that did. */
function createAges({ monotonicMs }: Pick<Clock, 'monotonicMs'>) {
  const silent = new Map<string, number>();
  const begun = new Map<string, number>();
  return {
    came: (name: string): void => void silent.set(name, monotonicMs()),
    began: (name: string): void => {
      silent.delete(name);
      begun.set(name, monotonicMs());
    },
    left: (name: string): void => {
      silent.delete(name);
      begun.delete(name);
    },
    /** @returns who takes longer than the honest do, if anybody. */
    slowest: (): string | undefined => {
      const [first] = silent;
      const [second] = begun;
      const nowMs = monotonicMs();
      if (first !== undefined && nowMs - first[1] >= SILENT_MS_MIN) return first[0];
      return second !== undefined && nowMs - second[1] >= BEGUN_MS_MIN ? second[0] : undefined;
    },
  };
}

const createRefuse =
  ({ metrics, log }: Pick<GateOptions, 'metrics' | 'log'>) =>
  (address: string, reason: RefusedReason, sentence: string): void => {
    metrics.refused(reason);
    log.warn('refused at the gate', { reason, sentence, address });
  };

export type Waiting = ReturnType<typeof createWaiting>;

export function createWaiting(options: GateOptions) {
  const { limits, clock, timers, onRefused } = options;
  const limiter = createRateLimiter(limits.connects);
  const waiting = new Map<string, One>();
  const ages = createAges(clock);
  const refuse = createRefuse(options);
  const perAddress = createTallies();
  let isStopped = false;

  /** Its handshake is over, or it is. */
  function leave(name: string): One | undefined {
    const one = waiting.get(name);
    if (one === undefined) return undefined;
    waiting.delete(name);
    ages.left(name);
    perAddress.less(one.address);
    one.cancel();
    return one;
  }

  /** @returns whether somebody went. */
  function makeRoom(): boolean {
    const one = leave(ages.slowest() ?? '');
    if (one === undefined) return false;
    refuse(one.address, 'too_many_handshakes', 'it was slow, and others wait for its place');
    one.socket.destroy();
    return true;
  }

  /** @returns why it may not even say hello. */
  function crowded(address: string): readonly [RefusedReason, string] | undefined {
    if (!limiter.allow(address, clock.monotonicMs())) {
      return ['connect_rate', 'its address connects too often'];
    }
    if (perAddress.of(address) >= limits.handshakesPerAddress) {
      return ['too_many_handshakes', 'its address has too many handshakes in progress'];
    }
    if (waiting.size >= limits.handshakes && !makeRoom()) {
      return ['too_many_handshakes', 'too many handshakes are in progress'];
    }
    return undefined;
  }

  function end(name: string, reason: RefusedReason, sentence: string): void {
    const one = leave(name);
    if (one === undefined) return;
    const { address } = one;
    refuse(address, reason, sentence);
    // Not what is refused for coming too often: a flood would leave no room for the others.
    onRefused?.({ reason, sentence, address });
    one.socket.destroy();
  }

  return {
    leave,
    end,
    refuse,
    size: (): number => waiting.size,
    /** @returns whether it may; else it is gone. */
    enter: (socket: Socket, name: string, address: string): boolean => {
      const why = isStopped ? undefined : crowded(address);
      if (isStopped || why !== undefined) {
        if (why !== undefined) refuse(address, ...why);
        socket.resetAndDestroy();
        return false;
      }
      const { helloMsMax } = limits;
      const cancel = timers.after(helloMsMax, () => end(name, 'handshake_timeout', NO_HELLO));
      ages.came(name);
      waiting.set(name, { address, socket, sentence: LEFT, cancel });
      perAddress.more(address);
      // Also when the TLS socket around it ends: that closes what is under it.
      socket.once('close', () => {
        const one = waiting.get(name);
        if (one?.socket === socket) end(name, 'handshake', one.sentence);
      });
      return true;
    },
    /** It said hello; its handshake begins. */
    begin: (name: string): void => {
      const one = waiting.get(name);
      if (one === undefined) return;
      one.cancel();
      ages.began(name);
      one.cancel = timers.after(limits.handshakeMsMax, () =>
        end(name, 'handshake_timeout', NO_END),
      );
    },
    /** OpenSSL says what is wrong; the socket closes by itself. */
    failed: (name: string, sentence: string): void => {
      const one = waiting.get(name);
      if (one !== undefined) one.sentence = sentence;
    },
    /** From now on nobody enters; whoever is in the middle would only hold up the end of the server. */
    stop: (): void => {
      isStopped = true;
      for (const name of [...waiting.keys()]) leave(name)?.socket.destroy();
    },
  };
}
