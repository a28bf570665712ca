// The component's log: winston, one JSON object per line on stdout, which the supervisor has put on a
// file. Nothing in this program ever holds a card number; still, every record passes the redactor before
// a byte is written, because cards are scanned, typed and echoed where nobody planned it (PCI DSS 3.3.1).
// A disk that is full takes lines, never the till: process.stdout would end the process with its error.

import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { createLogger, format, transports } from 'winston';
import { redactLine, redactRecord } from '../../agent/channel/redact.ts';

export type Log = {
  readonly debug: (message: string, fields?: Record<string, unknown>) => void;
  readonly info: (message: string, fields?: Record<string, unknown>) => void;
  readonly warn: (message: string, fields?: Record<string, unknown>) => void;
  readonly error: (message: string, fields?: Record<string, unknown>) => void;
};

/** That of a component: an operator may want more of it, or less, for a while. */
export type ComponentLog = Log & {
  /** Undefined: as configured. */
  readonly setLevel: (level: string | undefined) => void;
};

const STDOUT = 1;

/** Writes whole lines at once; what cannot be written is counted and told when there is room again. */
function standardOutput(tellLost: (count: number) => string): Writable {
  let lost = 0;
  const put = (bytes: Buffer): void => {
    for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
  };
  return new Writable({
    write: (line: Buffer, _encoding, done) => {
      try {
        // The line before may have been cut off in its middle.
        if (lost > 0) put(Buffer.from(`\n${tellLost(lost)}\n`));
        lost = 0;
        put(line);
      } catch {
        lost += 1;
      }
      done();
    },
  });
}

export function createLog(component: string, version: string, level: string): ComponentLog {
  const tellLost = (count: number): string =>
    JSON.stringify({
      component,
      level: 'warn',
      message: 'log lines were lost',
      count,
      timestamp: new Date().toISOString(),
      version,
    });
  const logger = createLogger({
    level,
    defaultMeta: { component, version },
    format: format.combine(redactRecord(), format.timestamp(), format.json(), redactLine()),
    transports: [new transports.Stream({ stream: standardOutput(tellLost), eol: '\n' })],
    exitOnError: false,
  });
  const setLevel = (asked: string | undefined): void => {
    logger.level = asked ?? level;
  };
  return Object.assign(logger, { setLevel });
}

const nothing = (): void => undefined;
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
