// The component's log: winston, one JSON object per line on stdout, which the supervisor has put on a
// file. Nothing in this program ever holds a card number; still, values under keys that could name card
// data are dropped here, before a byte is written (research/pos.md 9, rule R2; PCI DSS 3.3.1). A disk that
// is full takes lines, never the till: process.stdout would end the process with its error.

import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { createLogger, format, transports } from 'winston';

export type Log = {
  readonly debug: (message: string, fields?: Record<string, unknown>) => void;
  readonly info: (message: string, fields?: Record<string, unknown>) => void;
  readonly warn: (message: string, fields?: Record<string, unknown>) => void;
  readonly error: (message: string, fields?: Record<string, unknown>) => void;
};

const CARD_KEYS =
  /^(pan|card_?n(o|umber)|track[123]?|cvv2?|cvc2?|cid|cav2|csc|pin|pin_?block|ksn|emv|tlv|icc_?data|de(2|35|36|45|52|55))$/i;

const withoutCardKeys = format((info) => {
  for (const key of Object.keys(info)) if (CARD_KEYS.test(key)) info[key] = '[REMOVED]';
  return info;
});

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

export function createLog(component: string, version: string, level: string): Log {
  const tellLost = (count: number): string =>
    JSON.stringify({
      component,
      level: 'warn',
      message: 'log lines were lost',
      count,
      timestamp: new Date().toISOString(),
      version,
    });
  return createLogger({
    level,
    defaultMeta: { component, version },
    format: format.combine(withoutCardKeys(), format.timestamp(), format.json()),
    transports: [new transports.Stream({ stream: standardOutput(tellLost), eol: '\n' })],
    exitOnError: false,
  });
}

const nothing = (): void => undefined;
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
