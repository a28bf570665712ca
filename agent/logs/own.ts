// The agent's own log: JSON lines in the data folder, bounded and rotated (own-file.ts), and lines for people
// on stderr where somebody looks. The rest of the agent knows it by the type in ports.ts. Losing a line is
// better than losing the watchdog: a full disk ends neither, it only silences the log. What components say
// of themselves comes in here, too, so that the redactor stands before the file.

import { Writable } from 'node:stream';
import { createLogger, format, transports } from 'winston';
import type { LogLevel } from '../../protocol/catalogue.ts';
import { type Found, redactLine, redactRecord } from '../channel/redact.ts';
import type { Log } from '../ports.ts';
import { type LogFileLimits, openLogFile } from './own-file.ts';

const USUAL: LogLevel = 'info';
const LIMITS: LogFileLimits = { bytesMax: 2 * 1024 * 1024, filesMax: 4 };

export type OwnLog = Log & {
  /** Resolves when what was logged is in the file. */
  readonly end: () => Promise<void>;
  /** On a disk that is full to its floor only what is wrong is written. */
  readonly hush: (on: boolean) => void;
  /** More or less than usual; undefined: as usual. */
  readonly setLevel: (level: LogLevel | undefined) => void;
  /** Written only where somebody asked for more. */
  readonly debug: Log['info'];
  /** How many were written so far: whoever reads the file need not look while there are no more. */
  readonly lines: () => number;
};
export type OwnLogOptions = { readonly found?: Found; readonly limits?: LogFileLimits };

/** JSON of an Error is `{}`: say what it says. */
const errorsAsText = format((info) => {
  for (const [name, value] of Object.entries(info)) {
    if (value instanceof Error) info[name] = value.stack ?? value.message;
  }
  return info;
});

const human = format.printf(({ level, message, timestamp, ...fields }) => {
  const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${timestamp} ${level} ${message}${rest}`;
});

export function openOwnLog(path: string, toStderr: boolean, options: OwnLogOptions = {}): OwnLog {
  const { found, limits = LIMITS } = options;
  const file = openLogFile(path, limits);
  let written = 0;
  const lines = new transports.Stream({
    stream: new Writable({
      decodeStrings: false,
      write: (line: string, _encoding, done) => {
        file.write(line);
        written += 1;
        done();
      },
    }),
    format: format.combine(
      ...[
        errorsAsText(),
        redactRecord(found),
        format.timestamp(),
        format.json(),
        redactLine(found),
      ],
    ),
    eol: '\n',
  });
  const logger = createLogger({ level: USUAL, transports: [lines], exitOnError: false });
  if (toStderr) {
    const shown = format.combine(errorsAsText(), redactRecord(), format.timestamp(), human);
    logger.add(new transports.Console({ format: shown, stderrLevels: ['error', 'warn', 'info'] }));
  }
  let isHushed = false;
  const at =
    (level: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      const isLoud = level === 'warn' || level === 'error';
      if (isLoud || !isHushed) logger.log(level, message, fields);
    };
  const hush = (on: boolean): void => {
    isHushed = on;
  };
  const end = (): Promise<void> =>
    new Promise((done) => {
      lines.once('finish', () => {
        file.close();
        done();
      });
      logger.end();
    });
  const setLevel = (level: LogLevel | undefined): void => {
    logger.level = level ?? USUAL;
  };
  const levels = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { ...levels, end, hush, setLevel, lines: () => written };
}
