// The broker's own log: JSON lines in its data folder, bounded and rotated (log-file.ts), and lines for
// people on stderr when somebody looks. The rest of the broker knows it by the type in ports.ts.

import { join } from 'node:path';
import { Writable } from 'node:stream';
import { createLogger, format, transports } from 'winston';
import { type LogFileLimits, openLogFile } from './log-file.ts';
import type { Log } from './ports.ts';

const LIMITS: LogFileLimits = { bytesMax: 10 * 1024 * 1024, filesMax: 5 };

/** Ends with the folder's other files still closed in order: `end` waits for what was logged. */
export type BrokerLog = Log & { readonly end: () => Promise<void> };

const human = format.printf(({ level, message, timestamp, ...fields }) => {
  const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${timestamp} ${level} ${message}${rest}`;
});

export function openLog(
  dataDir: string,
  environment: NodeJS.ProcessEnv = process.env,
  limits = LIMITS,
): BrokerLog {
  const file = openLogFile(join(dataDir, 'broker.log'), limits);
  const lines = new transports.Stream({
    stream: new Writable({
      decodeStrings: false,
      write: (line: string, _encoding, done) => {
        file.write(line);
        done();
      },
    }),
    format: format.combine(format.timestamp(), format.json()),
    eol: '\n',
  });
  const logger = createLogger({ level: 'info', transports: [lines], exitOnError: false });
  if (process.stderr.isTTY || environment['TILLWATCH_LOG'] === 'stderr') {
    const shown = format.combine(format.timestamp(), human);
    const levels = ['error', 'warn', 'info'];
    logger.add(new transports.Console({ format: shown, stderrLevels: levels }));
  }
  const at =
    (level: 'info' | 'warn' | 'error') =>
    (message: string, fields = {}) => {
      logger.log(level, message, fields);
    };
  return {
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    end: () =>
      new Promise((resolve) => {
        lines.once('finish', () => {
          file.close();
          resolve();
        });
        logger.end();
      }),
  };
}
