// The stand-in for a till's devices as a program, for demonstrations on machines without any: a receipt
// printer at POS_PRINTER_PORT, a scanner at POS_SCANNER_PORT, and at POS_CONTROL_PORT the routes that break
// them (emulators/control.ts). Ports of 0 ask for any free one; printer.json in POS_DATA_DIR tells them.

import { join } from 'node:path';
import {
  common,
  EXIT_UNAVAILABLE,
  portVariable,
  settingsOrExit,
  versionOf,
} from '../shared/env.ts';
import { writeAtomically } from '../shared/files.ts';
import { listen } from '../shared/http.ts';
import { createLog } from '../shared/log.ts';
import { saying } from '../shared/result.ts';
import { controlRoutes } from './emulators/control.ts';
import { PrinterEmulator } from './emulators/printer.ts';
import { ScannerEmulator } from './emulators/scanner.ts';

const settings = settingsOrExit({
  ...common,
  POS_PRINTER_PORT: portVariable(9100),
  POS_SCANNER_PORT: portVariable(0),
  POS_CONTROL_PORT: portVariable(0),
});
const log = createLog('printer', versionOf(settings), settings.POS_LOG_LEVEL);
const printer = new PrinterEmulator();
const scanner = new ScannerEmulator();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
try {
  const port = await printer.listen(settings.POS_PRINTER_PORT);
  const scannerPort = await scanner.listen(settings.POS_SCANNER_PORT);
  const routes = controlRoutes(printer, scanner);
  const control = await listen({ port: settings.POS_CONTROL_PORT, routes, log });
  if (!control.ok) throw new Error(control.reason);
  const told = { port, scannerPort, controlPort: control.value.port, pid: process.pid };
  writeAtomically(join(settings.POS_DATA_DIR, 'printer.json'), `${JSON.stringify(told)}\n`);
  log.info('a printer and a scanner stand in', told);
} catch (error) {
  process.stderr.write(`the printer stand-in cannot listen: ${saying(error)}\n`);
  process.exit(EXIT_UNAVAILABLE);
}
