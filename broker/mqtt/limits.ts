// What the MQTT listener allows: how many may connect, how fast, and how long one may take. Apart from
// server.ts, so that the configuration can name the defaults without loading aedes.

import type { RateLimit } from './rate.ts';

export type MqttLimits = {
  /** Open connections, accepted or not. */
  readonly connections: number;
  /** New connections of one address. */
  readonly connects: RateLimit;
  readonly connectTimeoutMs: number;
  /** A terminal that takes nothing off its socket for this long is disconnected. */
  readonly drainTimeoutMs: number;
};

/** All terminals of a store chain may come from one address, and 10 000 within a minute. */
export const MQTT_LIMITS: MqttLimits = {
  connections: 12_000,
  connects: { burst: 5_000, perSecond: 1_000 },
  connectTimeoutMs: 10_000,
  drainTimeoutMs: 10_000,
};
