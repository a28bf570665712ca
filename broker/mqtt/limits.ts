// What the MQTT listener allows: how many may connect, how fast, how long one may take, and what a single terminal
// may do. Apart from server.ts, so that the configuration can name the defaults without loading aedes.

import type { GateLimits } from '../tls/waiting.ts';
import type { RateLimit } from './rate.ts';
import type { TerminalLimits } from './terminal-rates.ts';

export type MqttLimits = {
  /** Open connections, accepted or not. */
  readonly connections: number;
  /** New connections of one address. */
  readonly connects: RateLimit;
  readonly connectTimeoutMs: number;
  /** A terminal that takes nothing off its socket for this long is disconnected. */
  readonly drainTimeoutMs: number;
  /** Of one terminal, whatever its address. */
  readonly terminal: TerminalLimits;
};

/** All terminals of a store chain may come from one address, and 10 000 within a minute. */
export const MQTT_LIMITS: MqttLimits = {
  connections: 12_000,
  connects: { burst: 5_000, perSecond: 1_000 },
  connectTimeoutMs: 10_000,
  drainTimeoutMs: 10_000,
  // A till connects a few times a day and sends a batch or two a minute; the rest is room for what it kept.
  terminal: {
    connectsPerMinute: 60,
    publishesPerSecond: 500,
    bytesPerSecond: 4 * 1024 * 1024,
    // It subscribes once and pings once a minute.
    smallPerSecond: 20,
  },
};

/** In front of a handshake; a chain behind one address that lost its broker comes back as one. */
export const GATE_LIMITS: Omit<GateLimits, 'connects'> = {
  handshakes: 4_000,
  handshakesPerAddress: 2_000,
  helloMsMax: 5_000,
  handshakeMsMax: 10_000,
};
