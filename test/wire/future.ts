// What a newer version may say and this one has to bear: fields that nobody here knows, in every message; kinds of events
// and commands that do not exist yet; members of an inventory and metrics that came later. Made from bytes and not
// from a schema, because a schema of ours has no words for it.

import type { KeyObject } from 'node:crypto';
import { randomUUID, sign } from 'node:crypto';
import { packBody, unpackBody } from '../../protocol/body.ts';
import { keyIdOf, publicKeyText } from '../../protocol/commands.ts';
import { encodeEventBody } from '../../protocol/events.ts';
import { decodeBatch, encodeBatch, encodeRaw } from '../../protocol/wire.ts';
import { MADE_MS } from './made.ts';
import { must } from './told.ts';

/** Fields 1000 to 1003 in every form that protobuf has: a number, eight bytes, a text, four bytes. */
const UNKNOWN = Buffer.concat([
  Buffer.from([0xc0, 0x3e, 0x96, 0x01]),
  Buffer.from([0xc9, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0xd2, 0x3e, 3]),
  Buffer.from('new'),
  Buffer.from([0xdd, 0x3e, 1, 2, 3, 4]),
]);

/** The same message as somebody sends it who knows more. */
export const withUnknown = (message: Uint8Array): Uint8Array => Buffer.concat([message, UNKNOWN]);

/** A batch with unknown fields in envelope and body. */
export function newerBatch(bytes: Uint8Array): Uint8Array {
  const batch = must(decodeBatch(bytes));
  const body = withUnknown(must(unpackBody(batch)));
  return withUnknown(encodeBatch({ ...batch, ...packBody(body) }));
}

/** Events as they may be one day: a new kind, and known ones with new members and with words of lists that grew. */
export const newerEvents = (): Uint8Array =>
  encodeEventBody([
    {
      ...{ id: randomUUID(), timeMs: MADE_MS, kind: 'teleported', component: 'sale' },
      fields: { to: { store: 'moon' }, parts: [1, 2, 3] },
    },
    {
      ...{ id: randomUUID(), timeMs: MADE_MS + 1, kind: 'inventory', component: '' },
      fields: {
        ...{ agent: '0.9.0', os: 'Linux 9', hostname: 'till-3', firmware: { printer: '7.1' } },
        components: [
          { name: 'sale', version: '3.0.0', mode: 'act', colour: 'green' },
          { name: 'scale', version: '1.0.0', mode: 'learn' },
        ],
        configuration: { state: 'borrowed', colour: 'green' },
      },
    },
    {
      ...{ id: randomUUID(), timeMs: MADE_MS + 2, kind: 'component_state', component: 'sale' },
      fields: {
        ...{ from: 'starting', to: 'ready', reason: 'it is', version: '3.0.0', colour: 'green' },
      },
    },
    {
      ...{ id: randomUUID(), timeMs: MADE_MS + 3, kind: 'component_state', component: 'scale' },
      fields: { from: 'ready', to: 'hibernating', reason: 'it is night', version: '1.0.0' },
    },
    {
      ...{ id: randomUUID(), timeMs: MADE_MS + 4, kind: 'incident_opened', component: 'scale' },
      fields: { incident: 'i-9', cause: 'gremlins', reason: 'who knows', version: '1.0.0' },
    },
  ]);

/** Results of which one is in a state that nobody here knows. */
export const newerResults = (known: string, unknown: string): Uint8Array =>
  encodeRaw('ResultBody', {
    results: [
      { commandId: unknown, state: 'pondering', reason: 'hm', timeMs: MADE_MS, detailJson: '{}' },
      { commandId: known, state: 'succeeded', reason: '', timeMs: MADE_MS, detailJson: '{}' },
    ],
  });

export type Newer = {
  readonly id: string;
  readonly terminal: string;
  readonly kind: string;
  readonly arguments: object;
};

/** A command that is signed as it should be and that this version has no words for. */
export function newerCommand(of: Newer, key: KeyObject): Uint8Array {
  const { arguments: args, ...head } = of;
  const when = { issuedMs: MADE_MS, expiresMs: MADE_MS + 300_000 };
  const who = { operator: 'ada', reason: 'a recording', traceparent: '' };
  const fields = { ...head, ...when, ...who, argumentsJson: JSON.stringify(args) };
  const command = withUnknown(encodeRaw('Command', fields));
  const keyId = keyIdOf(publicKeyText(key));
  const signed = { command, keyId, signature: sign(null, command, key) };
  return withUnknown(encodeRaw('SignedCommand', signed));
}
