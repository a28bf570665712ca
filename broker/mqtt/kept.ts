// What is known of terminals beyond one connection: a sentence for those whose connection was closed, and
// at whom somebody looks. Both are bounded, because terminals that never come back are many.

import type { Clock } from '../clock.ts';

/** Terminals for which a notice waits; the oldest is dropped, the log has it anyway. */
export const NOTICES_MAX = 10_000;
/** Whoever looks at a terminal sees samples this often, until so long after the last look. */
export const WATCHED_SEND_EVERY_MS = 15_000;
export const WATCHED_MS = 60_000;
/** Terminals looked at, about what a screen of them shows; the one longest unseen is forgotten. */
export const WATCHED_MAX = 1_000;

export function createNotices() {
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

/** Terminals that somebody looks at, until when. */
export function createWatched({ monotonicMs }: Pick<Clock, 'monotonicMs'>) {
  const watched = new Map<string, number>();
  const has = (terminal: string): boolean => (watched.get(terminal) ?? 0) > monotonicMs();
  return {
    has,
    /** @returns whether it is news. */
    put: (terminal: string): boolean => {
      const isNews = !has(terminal);
      watched.delete(terminal);
      watched.set(terminal, monotonicMs() + WATCHED_MS);
      const oldest = watched.size > WATCHED_MAX ? watched.keys().next() : undefined;
      if (oldest?.done === false) watched.delete(oldest.value);
      return isNews;
    },
  };
}
