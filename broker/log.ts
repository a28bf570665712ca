// The broker's own log: JSON lines in its data folder, bounded and rotated, and lines for people on
// stderr when somebody looks. The rest of the broker knows it by the type in ports.ts.

import { join } from 'node:path';
import { createLogger, format, transports } from 'winston';
import type { Log } from './ports.ts';

const FILE_BYTES_MAX = 10 * 1024 * 1024;
const FILES_MAX = 5;

/** Ends with the folder's other files still closed in order: `end` waits for what was logged. */
export type BrokerLog = Log & { readonly end: () => Promise<void> };

const human = format.printf(({ level, message, timestamp, ...fields }) => {
  const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${timestamp} ${level} ${message}${rest}`;
});

export function openLog(dataDir: string, environment: NodeJS.ProcessEnv = process.env): BrokerLog {
  const file = new transports.File({
    filename: join(dataDir, 'broker.log'),
    format: format.combine(format.timestamp(), format.json()),
    maxsize: FILE_BYTES_MAX,
    maxFiles: FILES_MAX,
    tailable: true,
  });
  const logger = createLogger({ level: 'info', transports: [file], exitOnError: false });
  // A full disk must not end the broker through its log.
  file.on('error', () => {});
  logger.on('error', () => {});
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
        file.once('finish', () => resolve());
        logger.end();
      }),
  };
}
