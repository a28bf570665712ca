// Two machines with one identity, noticed: two agents that take turns, another machine than the one that enrolled, or a
// certificate that was renewed away and came back. Said once, in the audit log and in every view of the terminal, and
// left there until a person has looked: it may be a disk that was moved to a new case, or a thief.

import type { Hello } from '../../protocol/hello.ts';
import { type Turn, takeTurn } from './machine.ts';
import { type Parts, writeAudit } from './parts.ts';
import type { Twin } from './types.ts';

export type Twins = {
  readonly seen: (terminal: string, sign: Twin['sign'], sentence: string) => void;
  readonly greeted: (terminal: string, hello: Hello, address: string) => void;
  readonly forget: (terminal: string) => void;
};

type TwinParts = Pick<Parts, 'fleet' | 'records' | 'audit' | 'log'>;

export function createTwins(parts: TwinParts): Twins {
  const { fleet, records, log } = parts;
  const turns = new Map<string, readonly Turn[]>();

  function seen(terminal: string, sign: Twin['sign'], sentence: string): void {
    const known = records.known(terminal);
    if (known === undefined || known.twin !== undefined) return;
    const written = fleet.database.transact(() => {
      records.change(terminal, { kind: 'twin', sign, sentence });
      writeAudit(parts, {
        ...{ operator: 'broker', action: 'terminal.twin', subject: terminal },
        ...{ reason: sentence, outcome: sign },
      });
    });
    // It shows again when the disk is well: whoever has a twin keeps meeting it.
    if (!written.ok) log.error('a twin could not be written down', { terminal, sentence });
    else log.warn('two machines with one identity', { terminal, sign, sentence });
  }

  return {
    seen,
    forget: (terminal) => {
      turns.delete(terminal);
    },
    greeted: (terminal, hello, address) => {
      const before = records.known(terminal);
      if (before === undefined) return;
      records.note(terminal, { kind: 'heard', hello });
      const { machine } = before;
      if (machine !== undefined && machine !== hello.machine) {
        const sentence = `on another machine (${hello.machine}, from ${address}) than enrolled (${machine})`;
        seen(terminal, 'machine', sentence);
      }
      const taken = takeTurn(turns.get(terminal) ?? [], { instance: hello.instance, address });
      turns.set(terminal, taken.turns);
      if (taken.other === undefined) return;
      const sentence = `two agents take turns, from ${address} and ${taken.other.address}`;
      seen(terminal, 'instances', sentence);
    },
  };
}
