// Terminals that are suspended: they may connect and are seen, but what they publish is answered by MQTT's word alone
// and not taken, so that they keep it. Once one is resumed its connection is closed: it connects again and sends
// again what was never acknowledged, which it would not do on a connection that looks well.

import type { Client } from 'aedes';
import type { FrontIdentities } from './admission.ts';
import type { Refused } from './rules.ts';

export type Suspended = ReturnType<typeof createSuspended>;

export function createSuspended(
  identities: Pick<FrontIdentities, 'isSuspended'> | undefined,
  refuse: (client: Client, refused: Refused) => void,
) {
  /** Of these something was not taken. */
  const untaken = new Set<Client>();
  const isSuspended = (client: Client): boolean => identities?.isSuspended(client.id) === true;
  return {
    /** @returns whether what it publishes now is not to be taken; told once for each connection. */
    isUntaken: (client: Client): boolean => {
      if (!isSuspended(client)) return false;
      const sentence = 'this terminal is suspended: what it sends is not taken until it is resumed';
      if (!untaken.has(client)) refuse(client, { kind: 'refused', reason: 'suspended', sentence });
      untaken.add(client);
      return true;
    },
    forget: (client: Client): void => void untaken.delete(client),
    /** To be called now and then. */
    settle: (): void => {
      for (const client of untaken) if (!isSuspended(client)) client.conn.destroy();
    },
  };
}
