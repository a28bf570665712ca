// The four topics. Version and terminal are part of the name, the store is not: tills move, and where
// one stands is the registry's knowledge. Always QoS 1, never retained.

import { isId } from './ids.ts';
import { fail, ok, type Result } from './result.ts';
import { STREAMS, type Stream } from './wire.ts';

export const TOPIC_ROOT = 'tillwatch/1';

export const upTopic = (terminal: string, stream: Stream): string =>
  `${TOPIC_ROOT}/${terminal}/up/${stream}`;
export const goneTopic = (terminal: string): string => `${TOPIC_ROOT}/${terminal}/up/gone`;
export const ackTopic = (terminal: string): string => `${TOPIC_ROOT}/${terminal}/down/ack`;
export const commandTopic = (terminal: string): string => `${TOPIC_ROOT}/${terminal}/down/command`;

export type Topic =
  | { readonly kind: 'up'; readonly terminal: string; readonly stream: Stream }
  | { readonly kind: 'gone'; readonly terminal: string }
  | { readonly kind: 'ack'; readonly terminal: string }
  | { readonly kind: 'command'; readonly terminal: string };

const isStream = (text: string): text is Stream => (STREAMS as readonly string[]).includes(text);

/** Reads one concrete topic name; wildcards are never one. */
export function parseTopic(topic: string): Result<Topic> {
  const parts = topic.split('/');
  const [root, version, terminal = '', direction, leaf = ''] = parts;
  if (parts.length !== 5 || `${root}/${version}` !== TOPIC_ROOT) {
    return fail('topic is not one of ours');
  }
  if (!isId(terminal)) return fail('topic names no valid terminal');
  if (direction === 'up' && leaf === 'gone') return ok({ kind: 'gone', terminal });
  if (direction === 'up' && isStream(leaf)) return ok({ kind: 'up', terminal, stream: leaf });
  if (direction === 'down' && leaf === 'ack') return ok({ kind: 'ack', terminal });
  if (direction === 'down' && leaf === 'command') return ok({ kind: 'command', terminal });
  return fail('topic is not one of ours');
}
