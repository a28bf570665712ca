// An identity for a link in plain text: no certificate, nothing to renew, and the command keys that the configuration
// names. Only for a broker on this machine (configuration/uplink.ts).

import type { KeyObject } from 'node:crypto';
import { keyIdOf, parsePublicKey } from '../../protocol/commands.ts';
import { fail } from '../../protocol/result.ts';
import type { AgentIdentity } from './types.ts';

/** By key id; what is no key is left out. */
export function keysOf(texts: readonly string[]): Map<string, KeyObject> {
  const keys = texts.flatMap((text) => {
    const parsed = parsePublicKey(text);
    return parsed.ok ? [[keyIdOf(text), parsed.value.key] as const] : [];
  });
  return new Map(keys);
}

export function plainIdentity(commandKeys: readonly string[]): AgentIdentity {
  const keys = keysOf(commandKeys);
  const nothing = (): undefined => undefined;
  return {
    state: () => 'none',
    why: () => 'the link is in plain text: there is no certificate',
    commandKeys: () => keys,
    trustVersion: () => 0,
    applyTrust: () => fail('the link is in plain text: there is nothing to trust'),
    expiresMs: nothing,
    notBeforeMs: () => 0,
    enrolment: nothing,
    renew: nothing,
    doubted: nothing,
    onChange: nothing,
    stop: nothing,
  };
}
