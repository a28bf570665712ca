// Who may do what on the broker, as pure answers to single packets: a terminal connects with a clean
// session under its own id, publishes to its own up topics with QoS 1, and subscribes to exactly its
// two down topics. Nobody subscribes to telemetry and nothing is retained (research/mqtt.md 1.2, 1.4).
// A refusal carries a word for the metric and a sentence for the log and for the terminal's notice.

import { ID_RULE, isId } from '../../protocol/ids.ts';
import { ackTopic, commandTopic, goneTopic, parseTopic } from '../../protocol/topics.ts';
import type { Stream } from '../../protocol/wire.ts';
import type { RefusedReason } from '../ports.ts';

export type Refused = {
  readonly kind: 'refused';
  readonly reason: RefusedReason;
  readonly sentence: string;
};
const refused = (reason: RefusedReason, sentence: string): Refused => ({
  kind: 'refused',
  reason,
  sentence,
});

/** CONNACK return codes [MQTT-3.2.2.3]. */
export type ReturnCode = 2 | 3 | 5;

export type Connect = {
  readonly clientId: string;
  readonly clean: boolean;
  readonly will:
    | { readonly topic: string; readonly qos: number; readonly retain: boolean }
    | undefined;
};

export type ConnectAnswer =
  | { readonly kind: 'accepted' }
  | (Refused & { readonly returnCode: ReturnCode });

export function judgeConnect(
  { clientId, clean, will }: Connect,
  isKnown: (terminal: string) => boolean,
): ConnectAnswer {
  if (!isId(clientId)) {
    return {
      ...refused('client_id', `the client id is no terminal id: ${ID_RULE}`),
      returnCode: 2,
    };
  }
  if (!isKnown(clientId)) {
    const sentence = `terminal ${clientId} is not enrolled here`;
    return { ...refused('unknown_terminal', sentence), returnCode: 5 };
  }
  if (!clean) {
    const sentence = 'a session must be clean: the broker keeps commands in its own database';
    return { ...refused('session_not_clean', sentence), returnCode: 5 };
  }
  if (will !== undefined && (will.topic !== goneTopic(clientId) || will.retain || will.qos > 1)) {
    const sentence = `a will goes to ${goneTopic(clientId)}, not retained, with QoS 0 or 1`;
    return { ...refused('will', sentence), returnCode: 5 };
  }
  return { kind: 'accepted' };
}

export type Publish = { readonly topic: string; readonly qos: number; readonly retain: boolean };
export type Allowed =
  | { readonly kind: 'batch'; readonly stream: Stream }
  | { readonly kind: 'gone' };
export type PublishAnswer = Allowed | Refused;

/** @param topic is cut, because what a terminal is told must not be as long as what it sent. */
const shown = (topic: string): string => JSON.stringify(topic.slice(0, 80));

export function judgePublish(terminal: string, { topic, qos, retain }: Publish): PublishAnswer {
  const parsed = parseTopic(topic);
  const up = parsed.ok && (parsed.value.kind === 'up' || parsed.value.kind === 'gone');
  if (!up || parsed.value.terminal !== terminal) {
    return refused('topic', `${terminal} may not publish to ${shown(topic)}`);
  }
  if (retain) return refused('retained', 'nothing may be retained');
  if (qos !== 1) return refused('quality_of_service', 'a publish needs QoS 1');
  return parsed.value.kind === 'up'
    ? { kind: 'batch', stream: parsed.value.stream }
    : { kind: 'gone' };
}

/** The two topics a terminal may read, and what each is for. */
export function downTopicOf(terminal: string, topic: string): 'ack' | 'command' | undefined {
  if (topic === ackTopic(terminal)) return 'ack';
  return topic === commandTopic(terminal) ? 'command' : undefined;
}

export function judgeSubscribe(terminal: string, topic: string): Refused | undefined {
  if (downTopicOf(terminal, topic) !== undefined) return undefined;
  return refused('subscription', `${terminal} may not subscribe to ${shown(topic)}`);
}

/** Cannot happen: aedes asks preConnect first. It would be our bug, and must not let anybody in. */
export const NO_CONNECT = {
  kind: 'refused',
  reason: 'internal',
  sentence: 'no CONNECT was seen',
  returnCode: 3,
} as const;

export const TOO_MANY_SMALL = {
  kind: 'refused',
  reason: 'terminal_rate',
  sentence: 'it sends far more small packets than any terminal needs',
} as const;
