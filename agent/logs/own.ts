// The agent's own log: JSON lines in the data folder, bounded and rotated by winston, and lines for people
// on stderr where somebody looks. The rest of the agent knows it by the type in ports.ts. Losing a line is
// better than losing the watchdog: a full disk ends neither, it only silences the log. What components say
// of themselves comes in here, too, so that the redactor stands before the file.

import { createLogger, format, transports } from 'winston';
import { type Found, redactLine, redactRecord } from '../channel/redact.ts';
import type { Log, Timers } from '../ports.ts';

const FILE_BYTES_MAX = 2 * 1024 * 1024;
const FILES_MAX = 4;
/** A disk that answers nothing must not keep the agent from ending. */
const END_MS_MAX = 2_000;

export type OwnLog = Log & {
  /** Resolves when what was logged is in the file. */
  readonly end: () => Promise<void>;
};

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

export function openOwnLog(path: string, toStderr: boolean, timers: Timers, found?: Found): OwnLog {
  const file = new transports.File({
    filename: path,
    format: format.combine(
      ...[
        errorsAsText(),
        redactRecord(found),
        format.timestamp(),
        format.json(),
        redactLine(found),
      ],
    ),
    maxsize: FILE_BYTES_MAX,
    maxFiles: FILES_MAX,
    tailable: true,
    options: { flags: 'a', mode: 0o600 },
  });
  const logger = createLogger({ level: 'info', transports: [file], exitOnError: false });
  file.on('error', () => undefined);
  logger.on('error', () => undefined);
  if (toStderr) {
    const shown = format.combine(errorsAsText(), redactRecord(), format.timestamp(), human);
    logger.add(new transports.Console({ format: shown, stderrLevels: ['error', 'warn', 'info'] }));
  }
  const at =
    (level: 'info' | 'warn' | 'error') =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      logger.log(level, message, fields);
    };
  const end = (): Promise<void> =>
    new Promise((done) => {
      const cancel = timers.after(END_MS_MAX, done);
      file.once('finish', () => {
        cancel();
        done();
      });
      logger.end();
    });
  return { info: at('info'), warn: at('warn'), error: at('error'), end };
}
