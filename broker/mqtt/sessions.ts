// Terminals that are connected now: one session each, the newest connection wins. A session sends its
// acknowledgements one write at a time and lets the others melt together meanwhile, so that a terminal
// that publishes but does not read fills neither memory nor the way of others. Notices outlive
// sessions, because a forbidden publish closes the connection that would have carried the answer.

import { ackTopic, commandTopic } from '../../protocol/topics.ts';
import { encodeAck } from '../../protocol/wire.ts';
import type { Clock } from '../clock.ts';
import { type AckBox, createAckBox, type Outcome } from '../ingest/acknowledge.ts';
import type { SessionEnd } from '../ports.ts';

/** Terminals for which a notice waits; the oldest is dropped, the log has it anyway. */
export const NOTICES_MAX = 10_000;
/** Commands written to one connection and not yet taken by its socket. */
export const COMMANDS_WRITING_MAX = 32;

/** What a session needs of the connection under it. */
export type Connection = {
  readonly address: string;
  /** `done` when the socket has taken the bytes, or never will. */
  readonly send: (topic: string, payload: Uint8Array, done: () => void) => void;
  readonly close: () => void;
};

export type Session = {
  readonly terminal: string;
  readonly connection: Connection;
  readonly openedMs: number;
  readonly subscribed: Set<'ack' | 'command'>;
  readonly acks: AckBox;
  ackWriting: boolean;
  commandsWriting: number;
  /** It has asked for its open commands; sending them again is a commit, which it may cause once. */
  commandsAsked: boolean;
  /** It announced its end by itself. */
  gone: boolean;
  /** A newer connection of the same terminal was accepted; this one is about to be closed for it. */
  superseded: boolean;
};

export type Sessions = ReturnType<typeof createSessions>;

export type SessionsOptions = {
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly generation: Uint8Array;
  readonly onOpened: (session: Session) => void;
  readonly onClosed: (session: Session, why: SessionEnd) => void;
  /** It listens for commands from now on; once for each session. */
  readonly onCommandReady: (terminal: string) => void;
};

function createNotices() {
  const notices = new Map<string, string>();
  return {
    put: (terminal: string, sentence: string): void => {
      notices.delete(terminal);
      notices.set(terminal, sentence);
      const oldest = notices.size > NOTICES_MAX ? notices.keys().next() : undefined;
      if (oldest?.done === false) notices.delete(oldest.value);
    },
    take: (terminal: string): string => {
      const sentence = notices.get(terminal) ?? '';
      notices.delete(terminal);
      return sentence;
    },
  };
}

function endOf({ superseded, gone }: Session): SessionEnd {
  if (superseded) return 'taken_over';
  return gone ? 'gone' : 'lost';
}

export function createSessions(options: SessionsOptions) {
  const { clock, generation, onOpened, onClosed, onCommandReady } = options;
  const live = new Map<string, Session>();
  const notices = createNotices();

  function sendAcks(session: Session): void {
    if (session.ackWriting || session.acks.isEmpty() || !session.subscribed.has('ack')) return;
    const acks = session.acks.take({
      brokerTimeMs: clock.wallMs(),
      ledgerGeneration: generation,
      notice: notices.take(session.terminal),
    });
    session.ackWriting = true;
    let writing = acks.length;
    const done = (): void => {
      writing -= 1;
      if (writing > 0) return;
      session.ackWriting = false;
      if (live.get(session.terminal) === session) sendAcks(session);
    };
    const topic = ackTopic(session.terminal);
    for (const ack of acks) session.connection.send(topic, encodeAck(ack), done);
  }

  function close(session: Session, why: SessionEnd): void {
    if (live.get(session.terminal) !== session) return;
    live.delete(session.terminal);
    onClosed(session, why === 'lost' ? endOf(session) : why);
  }

  return {
    list: (): Session[] => [...live.values()],
    notice: notices.put,
    close,
    /** A newer connection is accepted. @returns whether it takes over from an older one. */
    supersede: (terminal: string): boolean => {
      const older = live.get(terminal);
      if (older !== undefined) older.superseded = true;
      return older !== undefined;
    },
    /** @returns the new session; an older one of the same terminal is closed first [MQTT-3.1.4-2]. */
    open: (terminal: string, connection: Connection): { session: Session; tookOver: boolean } => {
      const older = live.get(terminal);
      if (older !== undefined) {
        close(older, 'taken_over');
        older.connection.close();
      }
      const session: Session = {
        terminal,
        connection,
        openedMs: clock.wallMs(),
        subscribed: new Set(),
        acks: createAckBox(),
        ackWriting: false,
        commandsWriting: 0,
        commandsAsked: false,
        gone: false,
        superseded: false,
      };
      live.set(terminal, session);
      onOpened(session);
      return { session, tookOver: older !== undefined };
    },
    subscribe: (session: Session, topic: 'ack' | 'command'): void => {
      session.subscribed.add(topic);
      if (live.get(session.terminal) !== session) return;
      if (topic === 'ack') sendAcks(session);
      else if (!session.commandsAsked) {
        session.commandsAsked = true;
        onCommandReady(session.terminal);
      }
    },
    /** To whichever connection the terminal has now; without one the terminal asks again later. */
    acknowledge: (outcome: Outcome): void => {
      const session = live.get(outcome.terminal);
      if (session === undefined) return;
      session.acks.add(outcome);
      sendAcks(session);
    },
    /** @returns whether it was written; the queue of commands tries again, not we. */
    sendCommand: (terminal: string, bytes: Uint8Array): boolean => {
      const session = live.get(terminal);
      if (session === undefined || !session.subscribed.has('command')) return false;
      if (session.commandsWriting >= COMMANDS_WRITING_MAX) return false;
      session.commandsWriting += 1;
      session.connection.send(commandTopic(terminal), bytes, () => {
        session.commandsWriting -= 1;
      });
      return true;
    },
  };
}
