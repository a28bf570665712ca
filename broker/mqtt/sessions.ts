// Terminals that are connected now: one session each, the newest connection wins. A session sends its
// acknowledgements one write at a time and lets the others melt together meanwhile, so that a terminal
// that publishes but does not read fills neither memory nor the way of others. Notices outlive
// sessions, because a forbidden publish closes the connection that would have carried the answer.

import { ackTopic, commandTopic } from '../../protocol/topics.ts';
import { encodeAck, NO_EPOCH } from '../../protocol/wire.ts';
import type { Clock } from '../clock.ts';
import { type AckBox, createAckBox, type Outcome } from '../ingest/acknowledge.ts';
import type { SessionEnd } from '../ports.ts';
import { createNotices, createWatched, WATCHED_SEND_EVERY_MS } from './kept.ts';

/** Commands written to one connection and not yet taken by its socket. */
export const COMMANDS_WRITING_MAX = 32;
/** What a session needs of the connection under it. */
export type Connection = {
  readonly address: string;
  /** `done` when the socket has taken the bytes, or never will. */
  readonly send: (topic: string, payload: Uint8Array, done: () => void) => void;
  readonly close: () => void;
  /** The same at once, after what was sent just before. */
  readonly dismiss: () => void;
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

const NO_EPOCH_HEX = Buffer.from(NO_EPOCH).toString('hex');
const NOTHING_NAMED = { streams: [], refused: [] } as const;

export type Sessions = ReturnType<typeof createSessions>;

export type SessionsOptions = {
  readonly clock: Clock;
  /** What a terminal may send of its backlog, in bytes a second; 0: as fast as it likes. */
  readonly pace?: () => number;
  /** Log chunks that each pull may have on its way; 0: as many as its terminal thinks right. */
  readonly logCredits?: () => number;
  readonly generation: Uint8Array;
  readonly onOpened: (session: Session) => void;
  readonly onClosed: (session: Session, why: SessionEnd) => void;
  /** It listens for commands from now on; once for each session. */
  readonly onCommandReady: (terminal: string) => void;
};

const newSession = (terminal: string, connection: Connection, openedMs: number): Session => ({
  terminal,
  connection,
  openedMs,
  subscribed: new Set(),
  acks: createAckBox(),
  ackWriting: false,
  commandsWriting: 0,
  commandsAsked: false,
  gone: false,
  superseded: false,
});

function endOf({ superseded, gone }: Session): SessionEnd {
  if (superseded) return 'taken_over';
  return gone ? 'gone' : 'lost';
}

/** A terminal whose clock is wrong seals nothing before it knows the time (design.md, Clocks). */
const greet = ({ acks, terminal }: Session): void =>
  acks.add({ terminal, epochHex: NO_EPOCH_HEX, ...NOTHING_NAMED });

function writeCommand(session: Session, bytes: Uint8Array): boolean {
  if (session.commandsWriting >= COMMANDS_WRITING_MAX) return false;
  session.commandsWriting += 1;
  session.connection.send(commandTopic(session.terminal), bytes, () => {
    session.commandsWriting -= 1;
  });
  return true;
}

type Kept = {
  readonly notices: ReturnType<typeof createNotices>;
  readonly watched: ReturnType<typeof createWatched>;
};

/** @returns what writes a session's acknowledgements, one write at a time. */
function createAckWriter(
  { clock, pace = () => 0, logCredits = () => 0, generation }: SessionsOptions,
  { notices, watched }: Kept,
  isLive: (session: Session) => boolean,
) {
  return function sendAcks(session: Session): void {
    if (session.ackWriting || session.acks.isEmpty() || !session.subscribed.has('ack')) return;
    const acks = session.acks.take({
      brokerTimeMs: clock.wallMs(),
      ledgerGeneration: generation,
      paceBytesPerSecond: pace(),
      logCredits: logCredits(),
      sendEveryMs: watched.has(session.terminal) ? WATCHED_SEND_EVERY_MS : 0,
      notice: notices.take(session.terminal),
    });
    session.ackWriting = true;
    let writing = acks.length;
    const done = (): void => {
      writing -= 1;
      if (writing > 0) return;
      session.ackWriting = false;
      if (isLive(session)) sendAcks(session);
    };
    const topic = ackTopic(session.terminal);
    for (const ack of acks) session.connection.send(topic, encodeAck(ack), done);
  };
}

export function createSessions(options: SessionsOptions) {
  const { clock, onOpened, onClosed, onCommandReady } = options;
  const live = new Map<string, Session>();
  const notices = createNotices();
  const watched = createWatched(clock);
  const isLive = (session: Session): boolean => live.get(session.terminal) === session;
  const sendAcks = createAckWriter(options, { notices, watched }, isLive);

  function close(session: Session, why: SessionEnd): void {
    if (!isLive(session)) return;
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
      const session = newSession(terminal, connection, clock.wallMs());
      live.set(terminal, session);
      onOpened(session);
      return { session, tookOver: older !== undefined };
    },
    subscribe: (session: Session, topic: 'ack' | 'command'): void => {
      const isFirst = !session.subscribed.has(topic);
      session.subscribed.add(topic);
      if (!isLive(session)) return;
      if (topic === 'ack') {
        if (isFirst) greet(session);
        sendAcks(session);
      } else if (!session.commandsAsked) {
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
    /** It has to end now: its terminal is told why, if it listens. @returns whether it had a session. */
    cut: (terminal: string, sentence: string): boolean => {
      const session = live.get(terminal);
      if (session === undefined) return false;
      notices.put(terminal, sentence);
      // What is being written does not hold up what is written last.
      session.ackWriting = false;
      greet(session);
      sendAcks(session);
      close(session, 'cut');
      session.connection.dismiss();
      return true;
    },
    /** Somebody looks at it: it is told at once, and with each answer. */
    watch: (terminal: string): void => {
      const isNews = watched.put(terminal);
      const session = live.get(terminal);
      if (!isNews || session === undefined) return;
      greet(session);
      sendAcks(session);
    },
    /** @returns whether it was written; the queue of commands tries again, not we. */
    sendCommand: (terminal: string, bytes: Uint8Array): boolean => {
      const session = live.get(terminal);
      if (session === undefined || !session.subscribed.has('command')) return false;
      return writeCommand(session, bytes);
    },
  };
}
