// What an agent says of itself in the user name of its MQTT CONNECT, because version 3.1.1 has no properties: which
// machine it is on, which process it is, and which trust document it holds. It proves nothing (the certificate does
// that); it lets the broker see two machines with one identity, and send new keys to whoever lacks them.

const PATTERN = /^1;machine=([0-9a-f]{16});instance=([0-9a-f]{16});trust=(\d{1,15})$/;

export type Hello = {
  /** The first half of a hash of what names the machine: 16 hex digits. */
  readonly machine: string;
  /** New at each start of an agent: 16 hex digits. */
  readonly instance: string;
  /** Version of its trust document; 0: it has none. */
  readonly trust: number;
};

export const formatHello = ({ machine, instance, trust }: Hello): string =>
  `1;machine=${machine};instance=${instance};trust=${trust}`;

/** @returns undefined where there is none, as from an agent before 0.6 or one without certificates. */
export function parseHello(username: string | undefined): Hello | undefined {
  const [, machine, instance, trust] = PATTERN.exec(username ?? '') ?? [];
  if (machine === undefined || instance === undefined) return undefined;
  return { machine, instance, trust: Number(trust) };
}
