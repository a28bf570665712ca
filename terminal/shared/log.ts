// The component's log: winston, one JSON object per line on stdout, which the supervisor has put on a
// file. Nothing in this program ever holds a card number; still, values under keys that could name card
// data are dropped here, before a byte is written (research/pos.md 9, rule R2; PCI DSS 3.3.1).

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

export function createLog(component: string, version: string, level: string): Log {
  return createLogger({
    level,
    defaultMeta: { component, version },
    format: format.combine(withoutCardKeys(), format.timestamp(), format.json()),
    transports: [new transports.Console({ forceConsole: false })],
    exitOnError: false,
  });
}

const nothing = (): void => undefined;
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
