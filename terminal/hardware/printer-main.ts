// The receipt printer stand-in as a program, for demonstrations on machines without a printer:
// POS_PRINTER_PORT (0: any free one, told in printer.json) and POS_DATA_DIR.

import { join } from 'node:path';
import {
  common,
  EXIT_UNAVAILABLE,
  portVariable,
  settingsOrExit,
  versionOf,
} from '../shared/env.ts';
import { writeAtomically } from '../shared/files.ts';
import { createLog } from '../shared/log.ts';
import { saying } from '../shared/result.ts';
import { PrinterEmulator } from './printer-emulator.ts';

const settings = settingsOrExit({ ...common, POS_PRINTER_PORT: portVariable(9100) });
const log = createLog('printer', versionOf(settings), settings.POS_LOG_LEVEL);
const printer = new PrinterEmulator();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
try {
  const port = await printer.listen(settings.POS_PRINTER_PORT);
  const told = JSON.stringify({ port, pid: process.pid });
  writeAtomically(join(settings.POS_DATA_DIR, 'printer.json'), `${told}\n`);
  log.info('a printer stand-in listens', { port, pid: process.pid });
} catch (error) {
  process.stderr.write(`the printer stand-in cannot listen: ${saying(error)}\n`);
  process.exit(EXIT_UNAVAILABLE);
}
