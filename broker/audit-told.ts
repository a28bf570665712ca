// What terminals refused belongs into the audit log of the centre, too: a command that a till did not believe was
// forged, replayed or sent to the wrong one, and whoever looks for that looks here. Bounded as every refusal is; the
// events themselves are kept whole.

import type { TerminalEvent } from '../protocol/events.ts';
import type { Audit } from './audit.ts';

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** For each new event of a terminal, within the transaction that keeps it. */
export const auditTold =
  (audit: Pick<Audit, 'refuse'>) =>
  (terminal: string, event: Pick<TerminalEvent, 'kind' | 'fields'>): void => {
    if (event.kind !== 'command_refused') return;
    const { why, reason, command, count } = event.fields;
    audit.refuse({
      ...{ operator: terminal, action: 'terminal.command_refused', subject: terminal },
      ...{ reason: textOf(reason), outcome: `refused ${textOf(why)}` },
      detail: { count, ...(command === undefined ? {} : { command: textOf(command) }) },
    });
  };
